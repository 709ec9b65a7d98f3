"""Writes a file so that nobody ever finds half of it."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write or replace a file in one step; its folder must be there. ``mode`` are its permissions.

    Raises:
        OSError: it can't be written, and what was there before is unchanged.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        new = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            new.chmod(mode)
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
