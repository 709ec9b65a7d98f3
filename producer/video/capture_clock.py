"""When a stream's pictures were captured: by the camera's clock if it can be trusted."""

#: A camera's clock is used if its pictures seem to arrive so long after they were captured. With
#: more, its clock is wrong; a little less than nothing is a clock that is fast.
_LEAST_DELAY_MS, _MOST_DELAY_MS = -1000, 2000
#: Pictures this far from where the last ones were belong to new time stamps.
_JUMP_MS = 20_000
#: How fast the shortest delay is forgotten, because clocks drift: far above any quartz.
_DRIFT = 0.001


class CaptureClock:
    """Turns a stream's time stamps into milliseconds since the epoch, in order.

    The clock of a camera (RTCP sender reports) tells when a picture was captured. Without it, a
    picture counts as captured when it should have arrived: pictures that were held up in between
    (a camera that stalled, a slow decoder) are as old as they are, not new because they came now.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self.forget()

    def forget(self) -> None:
        """A new connection begins: its time stamps have nothing to do with the former ones."""
        self._camera_ms: float | None = None  # the camera's clock minus the stamp
        self._arrival_ms: float | None = None  # the same for the arrival of the quickest picture
        self._seen_ms = 0

    @property
    def difference_ms(self) -> int | None:
        """This machine's clock minus the camera's, with the delay; None: the camera sends none."""
        if self._camera_ms is None or self._arrival_ms is None:
            return None
        return round(self._arrival_ms - self._camera_ms)

    @property
    def is_cameras(self) -> bool:
        """Whether the camera's clock is used."""
        difference_ms = self.difference_ms
        return difference_ms is not None and _LEAST_DELAY_MS <= difference_ms <= _MOST_DELAY_MS

    def hear(self, wallclock_ms: float, stamp_ms: float) -> None:
        """The camera says: the picture of this time stamp was captured at this time."""
        self._camera_ms = wallclock_ms - stamp_ms

    def captured_at_ms(self, stamp_ms: float | None, now_ms: int) -> int:
        """When the picture with this time stamp, which arrived now, was captured.

        The result goes back only if this machine's clock did.
        """
        captured_ms = now_ms if stamp_ms is None else self._of_stamp(stamp_ms, now_ms)
        floor_ms = self._last_ms if self._last_ms <= now_ms else 0
        self._last_ms = max(floor_ms, min(captured_ms, now_ms))
        return self._last_ms

    def _of_stamp(self, stamp_ms: float, now_ms: int) -> int:
        self._arrival_ms = arrival_ms = self._quickest_ms(now_ms - stamp_ms, now_ms)
        self._seen_ms = now_ms
        camera_ms = self._camera_ms if self.is_cameras else None
        return round(stamp_ms + (arrival_ms if camera_ms is None else camera_ms))

    def _quickest_ms(self, arrival_ms: float, now_ms: int) -> float:
        known_ms = self._arrival_ms
        if known_ms is None or abs(arrival_ms - known_ms) > _JUMP_MS:
            return arrival_ms
        drift_ms = _DRIFT * max(0, now_ms - self._seen_ms)
        return min(arrival_ms, known_ms + drift_ms)
