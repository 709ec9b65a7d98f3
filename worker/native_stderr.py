"""What native libraries print: an image codec tells of every broken picture, which lets whoever sends them flood the log."""

import os
from types import TracebackType

_STDERR = 2


class MutedStderr:
    """``with muted:`` nothing reaches file descriptor 2, from whichever thread. Reusable; does nothing where it is closed."""

    def __init__(self) -> None:
        try:
            self._real = os.dup(_STDERR)
        except OSError:
            self._real = -1
            return
        self._nowhere = os.open(os.devnull, os.O_WRONLY)

    def __enter__(self) -> None:
        if self._real >= 0:
            os.dup2(self._nowhere, _STDERR)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._real >= 0:
            os.dup2(self._real, _STDERR)
