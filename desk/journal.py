"""The journal: who did what when, in a file that is only ever appended to.

One JSON object a line, on the disk before the action counts as done. The file is opened for each
line, so that it can be moved away and a new one begins.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskgate.protocol.errors import MaskgateError
from maskgate.runtime.clock import now_ms

FILE_NAME = "journal.jsonl"
#: Who did what nobody did: the process itself, or somebody who is not signed in.
NOBODY = "-"
_TAIL_BYTES = 1 << 18


class JournalError(MaskgateError):
    """A line could not be written or read; what was to be written down must not be done."""


class Journal:
    """Appends to and reads one file. Thread-safe; other processes may append too."""

    def __init__(self, path: Path, clock: Callable[[], int] = now_ms) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, who: str, action: str, **facts: object) -> None:
        """Append a line and wait until it is on the disk. ``facts`` must be plain JSON values.

        Write before the action where it can't be undone. Never a password, never a pixel.

        Raises:
            JournalError: names the file and the trouble.
        """
        at = datetime.fromtimestamp(self._clock() / 1000, UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "who": who, "action": action, **facts}) + "\n"
        try:
            with self._lock:
                self._append(line.encode())
        except OSError as error:
            msg = f"journal {self._path}: can't be written: {error.strerror}"
            raise JournalError(msg) from None

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last lines, newest first; a line that is no JSON object is shown as it is.

        Raises:
            JournalError: the file can't be read.
        """
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            msg = f"journal {self._path}: can't be read: {error.strerror}"
            raise JournalError(msg) from None
        whole = lines if size <= _TAIL_BYTES else lines[1:]
        return [_parsed(line) for line in reversed(whole[-count:])]

    def _append(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            # Of all processes: without it, one sees another's line half done, as after a crash.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash cut the last line short: it spoils no other
            left = memoryview(line)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"at": "", "who": NOBODY, "action": line}
