"""Puts the Lua files together to the library that Redis loads.

Names end with a digest of the code, so that the libraries of two releases can be loaded at the same
time, and a worker never calls other code than its own.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from redis import Redis

from maskgate.runtime.store import store_errors

#: Names of maskgate's libraries begin with this.
PREFIX = "maskgate_"
_HERE = Path(__file__).parent
_FUNCTIONS = (
    "verdicts",
    "camera_state",
    "heartbeat",
    "attempt",
    "audit",
    "audit_model",
    "models",
    "promote",
    "pairs",
    "scores",
)


@dataclass(frozen=True, slots=True)
class Library:
    """Redis functions: ``name`` of the library, and its ``code`` for FUNCTION LOAD."""

    name: str
    code: str

    def function(self, name: str) -> str:
        """What FCALL calls the function of the Lua file ``name``."""
        return f"{self.name}_{name}"

    def is_loaded(self, client: Redis) -> bool:
        """Whether Redis has this library.

        Raises:
            StoreError: Redis does not answer or refuses.
        """
        return self.name in loaded(client)

    def load(self, client: Redis) -> None:
        """Load the library; loading it again changes nothing.

        Raises:
            StoreError: Redis does not answer or refuses.
        """
        with store_errors():
            client.function_load(self.code, replace=True)


@cache
def library() -> Library:
    """The library of this release."""
    prelude = _source("call_or_replace")
    digest = hashlib.sha256()
    for name in ("call_or_replace", *_FUNCTIONS):
        digest.update(_source(name).encode())
    name = PREFIX + digest.hexdigest()[:8]
    functions = (_registered(f"{name}_{function}", _source(function)) for function in _FUNCTIONS)
    return Library(name, "\n".join([f"#!lua name={name}", prelude, *functions]))


def loaded(client: Redis) -> list[str]:
    """The names of all libraries of maskgate that Redis has.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors():
        found = client.function_list(library=f"{PREFIX}*")
    return sorted(entry[entry.index("library_name") + 1] for entry in found)


def _source(name: str) -> str:
    return (_HERE / f"{name}.lua").read_text()


def _registered(name: str, body: str) -> str:
    # Allowed even when Redis is full: worker/store/history_budget.py says what yields.
    return (
        f"redis.register_function{{function_name='{name}', flags={{'allow-oom'}}, "
        f"callback=function(KEYS, ARGV)\n{body}end}}"
    )
