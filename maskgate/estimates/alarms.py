"""Alarms: which camera, since when, and what to look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from maskgate.estimates.drift import Drift, drift
from maskgate.estimates.reading import Hour, total
from maskgate.inference.card import ReferenceScores

#: Hours without enough crops are judged together, up to so many.
_LONGEST_PERIOD_MS = 24 * 3600 * 1000
LOOK_AT = "look at light, focus, or a new kind of mask"


@dataclass(frozen=True, slots=True)
class Period:
    """Hours that are judged together, from ``begun_ms``; ``crops`` in them."""

    begun_ms: int
    crops: int
    drift: Drift


@dataclass(frozen=True, slots=True)
class Alarm:
    """The scores of a camera have shifted towards doubt, and had not before ``since_ms``."""

    camera: str
    since_ms: int
    #: Of the newest period.
    psi: float
    #: Since then.
    crops: int

    @property
    def text(self) -> str:
        """One line for people. Times are UTC."""
        since = datetime.fromtimestamp(self.since_ms / 1000, UTC)
        psi = f"{self.psi:.2f}".removeprefix("0")
        return (
            f"camera {self.camera}: scores have shifted since {since:%Y-%m-%d %H:%M} UTC "
            f"(PSI {psi}, {self.crops:,} crops): {LOOK_AT}"
        )


def alarms(hours: Mapping[str, Sequence[Hour]], reference: ReferenceScores) -> list[Alarm]:
    """The alarms of today, by camera; ``hours`` are those of :func:`reading.read_hours`."""
    found = (alarm(camera, list(periods(of, reference))) for camera, of in sorted(hours.items()))
    return [each for each in found if each]


def alarm(camera: str, judged: Sequence[Period]) -> Alarm | None:
    """The alarm of a camera: it ends with the first period that has not shifted."""
    shifted: list[Period] = []
    for period in judged:
        shifted = [*shifted, period] if period.drift.is_alarming else []
    if not shifted:
        return None
    crops = sum(period.crops for period in shifted)
    return Alarm(camera, shifted[0].begun_ms, shifted[-1].drift.psi, crops)


def periods(hours: Sequence[Hour], reference: ReferenceScores) -> Iterator[Period]:
    """Judge hours, oldest first. What is too little to judge is judged with the hours after it."""
    waiting: list[Hour] = []
    for hour in hours:
        waiting = [*waiting, hour]
        if hour.begun_ms - waiting[0].begun_ms >= _LONGEST_PERIOD_MS:
            waiting = [hour]
        scores = total(waiting)
        if found := drift(scores, reference):
            yield Period(waiting[0].begun_ms, scores.crops, found)
            waiting = []
