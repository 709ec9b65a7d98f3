"""Plays a file at its own speed."""

import time

#: A file whose time stamps go back, or skip more than this, goes on without a pause.
_MAX_GAP_S = 10.0
#: A file that can't be decoded fast enough goes on from where it is, without catching up.
_MAX_DELAY_S = 1.0


class Pace:
    """When each picture of a file is due, by ``time.monotonic``."""

    def __init__(self, frame_rate: float) -> None:
        """``frame_rate`` is in pictures per second, for those without a time stamp."""
        self._step_s = 1 / frame_rate
        self._last_s: float | None = None
        self._due_s = time.monotonic()

    def wait_s(self, time_s: float | None) -> float:
        """How long to wait before the picture with this time stamp is shown."""
        now_s = time.monotonic()
        if self._last_s is not None:
            gap_s = self._step_s if time_s is None else time_s - self._last_s
            self._due_s += gap_s if 0 <= gap_s <= _MAX_GAP_S else self._step_s
        self._last_s = (self._last_s or 0.0) + self._step_s if time_s is None else time_s
        self._due_s = max(self._due_s, now_s - _MAX_DELAY_S)
        return max(0.0, self._due_s - now_s)

    def rest_s(self) -> float:
        """How long the last picture stays."""
        return max(0.0, self._due_s + self._step_s - time.monotonic())
