"""Redis's clock, which verdicts live by, as a worker knows it: from what Redis answered, carried on by this machine's monotonic clock."""

import time
from collections import deque
from dataclasses import dataclass

from maskgate.runtime.clock import Clock

_REMEMBERED = 8
#: Two readings that contradict each other by more than this: a clock was set.
_SET_MS = 50


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Redis's time, and this machine's monotonic one before the question and after the answer."""

    asked_s: float
    redis_ms: int
    answered_s: float

    @property
    def uncertain_ms(self) -> float:
        """Half the round trip: how far off :attr:`offset_ms` may be, either way."""
        return (self.answered_s - self.asked_s) * 500

    @property
    def offset_ms(self) -> float:
        """To be added to the monotonic clock: taken half way between question and answer."""
        return self.redis_ms - (self.asked_s + self.answered_s) * 500


class RedisClock:
    """By the quickest of the last eight answers, as NTP's clock filter has it (RFC 5905, section 10).

    A slow answer is no measurement: taken for one, it made good crops look as if they came from the future.
    """

    def __init__(self, fallback: Clock) -> None:
        self._fallback = fallback
        self._readings: deque[ClockReading] = deque(maxlen=_REMEMBERED)

    def heard(self, reading: ClockReading) -> None:
        """One more answer. One that contradicts what is known means that Redis's clock was set, or is another's: it counts alone."""
        if self._readings:
            apart_ms = abs(reading.offset_ms - self._best.offset_ms)
            if apart_ms > reading.uncertain_ms + self._best.uncertain_ms + _SET_MS:
                self._readings.clear()
        self._readings.append(reading)

    def now_ms(self) -> int:
        """Milliseconds since the epoch by Redis's clock; before its first answer by this machine's."""
        return (
            round(time.monotonic() * 1000 + self._best.offset_ms)
            if self._readings
            else self._fallback()
        )

    @property
    def uncertain_ms(self) -> int:
        """How far off :meth:`now_ms` may be, either way."""
        return round(self._best.uncertain_ms) if self._readings else 0

    @property
    def _best(self) -> ClockReading:
        return min(self._readings, key=lambda reading: reading.uncertain_ms)
