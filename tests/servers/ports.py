"""Free ports, the binaries of real servers, and waiting with a deadline."""

import os
import random
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import pytest

T = TypeVar("T")

_given: set[int] = set()


def free_port() -> int:
    """A free port from 15,000 to 31,999; never the same one twice.

    A server listens only seconds after it got its port. The range is below the one that outgoing
    connections use (from 32,768 on Linux), so that none of them takes the port in the meantime.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def require(binary: str, *more_places: str) -> str:
    """The binary's path. If it is missing, the test is skipped, or fails if ``CI`` is set."""
    found = shutil.which(binary, path=os.pathsep.join((*more_places, os.environ.get("PATH", ""))))
    if found is None:
        message = f"{binary} is missing: install its package (as root, make test does this)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def eventually(look: Callable[[], T], timeout_s: float = 10.0, what: str = "it") -> T:
    """Call ``look`` until its result is true and return it; fail after ``timeout_s``."""
    deadline_s = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline_s:
            pytest.fail(f"waited {timeout_s} s in vain for {what}; last value: {seen!r}")
        time.sleep(0.02)
    return seen
