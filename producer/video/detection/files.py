"""A detector's file: read once, and refused unless its SHA-256 is the expected one."""

import hashlib
from pathlib import Path

from maskgate.protocol.errors import ModelError

#: A detector has a few hundred kB. Nobody's disk image is read into memory by mistake.
_MAX_BYTES = 64 << 20


def read_checked(path: Path, sha256: str) -> bytes:
    """The content of a detector's file.

    The hash comes before any parser: OpenCV's are written in C++ and trust what they read.

    Raises:
        ModelError: the file can't be read, or its SHA-256 is another one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"detector {path}: {error.strerror}"
        raise ModelError(msg) from None
    if len(content) > _MAX_BYTES:
        msg = f"detector {path}: larger than {_MAX_BYTES >> 20} MiB, so it is no face detector"
        raise ModelError(msg)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        msg = (
            f"detector {path}: SHA-256 is {found} ({len(content)} bytes), expected is "
            f"{sha256.lower()}; copy the file again, or set detector_sha256 if you trust this one"
        )
        raise ModelError(msg)
    return content
