"""The library of a door: ``from maskgate import Gate`` reads the verdicts of the workers.

A name is imported when it is first used, so that a process that needs only the crop message does
not load the Redis client.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskgate.gate import (
        Action,
        BadIdError,
        CameraState,
        Decision,
        Gap,
        Gate,
        TlsFiles,
        Visit,
        decide,
        decide_visit,
        together,
    )

__all__ = [
    "Action",
    "BadIdError",
    "CameraState",
    "Decision",
    "Gap",
    "Gate",
    "TlsFiles",
    "Visit",
    "decide",
    "decide_visit",
    "together",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from maskgate import gate  # noqa: PLC0415  (see above)

    return getattr(gate, name)
