"""Estimates Redis's clock, by which verdicts expire, from its answers and the monotonic clock."""

import time
from collections import deque
from dataclasses import dataclass

from maskgate.runtime.clock import Clock

_REMEMBERED = 8
#: If two readings contradict each other by more than this, a clock was set.
_SET_MS = 50


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Redis's time, and this machine's monotonic time before the request and after the answer."""

    asked_s: float
    redis_ms: int
    answered_s: float

    @property
    def uncertain_ms(self) -> float:
        """Half the round trip: the largest error of :attr:`offset_ms`."""
        return (self.answered_s - self.asked_s) * 500

    @property
    def offset_ms(self) -> float:
        """Redis's time minus the monotonic time, taken half way between request and answer."""
        return self.redis_ms - (self.asked_s + self.answered_s) * 500


class RedisClock:
    """Uses the fastest of the last 8 answers, like NTP's clock filter (RFC 5905, section 10).

    A slow answer tells little: when it was used, good crops seemed to come from the future.
    """

    def __init__(self, fallback: Clock) -> None:
        self._fallback = fallback
        self._readings: deque[ClockReading] = deque(maxlen=_REMEMBERED)

    def add(self, reading: ClockReading) -> None:
        """Add a reading.

        If it contradicts the others, Redis's clock was set, or another server took over: the older
        readings are dropped.
        """
        if self._readings:
            apart_ms = abs(reading.offset_ms - self._best.offset_ms)
            if apart_ms > reading.uncertain_ms + self._best.uncertain_ms + _SET_MS:
                self._readings.clear()
        self._readings.append(reading)

    def now_ms(self) -> int:
        """Redis's time in milliseconds since the epoch; this machine's before the first reading."""
        return (
            round(time.monotonic() * 1000 + self._best.offset_ms)
            if self._readings
            else self._fallback()
        )

    @property
    def uncertain_ms(self) -> int:
        """The largest error of :meth:`now_ms`, in milliseconds."""
        return round(self._best.uncertain_ms) if self._readings else 0

    @property
    def _best(self) -> ClockReading:
        return min(self._readings, key=lambda reading: reading.uncertain_ms)
