"""A Docker engine: the machine's own, or the one that a folder beside the project makes."""

import functools
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import pytest

_ROOT = Path(__file__).parent.parent.parent
_MAKERS = sorted((_ROOT.parent / "shared" / "tools").glob("*/up"))
_TIMEOUT_S = 600.0


@functools.cache
def is_there() -> bool:
    """Whether this machine has an engine that answers."""
    asked = (["docker", "compose", "version"], ["docker", "info"])
    return shutil.which("docker") is not None and all(
        subprocess.run(command, capture_output=True, check=False).returncode == 0
        for command in asked
    )


@functools.cache
def begun() -> "subprocess.Popen[str] | None":
    """Begin to make an engine where there is none: it takes minutes, in which tests can run."""
    if is_there() or not _MAKERS:
        return None
    return subprocess.Popen([_MAKERS[0]], stdout=subprocess.PIPE, stderr=_trouble(), text=True)


@functools.cache
def _trouble() -> IO[str]:
    return tempfile.TemporaryFile("w+")  # not a pipe, which would fill while nobody reads


def environment() -> dict[str, str]:
    """What ``docker`` needs in its environment; skips the test where there is no engine."""
    if is_there():
        return {}
    making = begun()
    if making is None:
        pytest.skip("no Docker engine")
    out, _ = making.communicate(timeout=_TIMEOUT_S)
    if making.returncode:
        _trouble().seek(0)
        pytest.skip(f"no Docker engine: {_trouble().read()[-300:]}")
    return dict(word.split("=", 1) for word in shlex.split(out) if "=" in word)
