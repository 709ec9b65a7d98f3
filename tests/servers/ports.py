"""Free ports, binaries that must be there in CI, and waiting with a deadline."""

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
    """Below the range that outgoing connections take theirs from: a server that needs seconds to start would find it taken by then.

    For the same reason never one that was given out before: who was given it may be about to listen.
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
    """The binary's path; without it a laptop skips the test, CI fails."""
    found = shutil.which(binary, path=os.pathsep.join((*more_places, os.environ.get("PATH", ""))))
    if found is None:
        message = f"no {binary} here: install the distribution's package (make test does, as root)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def eventually(look: Callable[[], T], timeout_s: float = 10.0, what: str = "it") -> T:
    """Poll until ``look`` gives something true; fail after the deadline."""
    deadline_s = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not happen within {timeout_s} s; last seen: {seen!r}")
        time.sleep(0.02)
    return seen
