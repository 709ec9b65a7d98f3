"""Silences what native libraries print.

Image codecs print a line for every broken image, so whoever sends such images could flood the log.
"""

import os
from types import TracebackType

_STDERR = 2


class MutedStderr:
    """Inside ``with muted:``, nothing that any thread writes to file descriptor 2 is shown.

    Reusable. Does nothing if the descriptor is closed.
    """

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
