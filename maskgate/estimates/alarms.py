"""Alarms: which camera, since when, and what to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from maskgate.estimates.drift import MIN_CROPS, MIN_VISITS, drift
from maskgate.estimates.reading import Hour, total
from maskgate.inference.card import ReferenceScores

#: Hours without enough crops are judged together, up to so many.
_LONGEST_PERIOD_MS = 24 * 3600 * 1000
LOOK_AT = "look at light, focus, or a new kind of mask"


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
    """The alarms of today, by camera; ``hours`` are those of :class:`reading.HoursReader`."""
    found = (alarm(camera, periods(of), reference) for camera, of in sorted(hours.items()))
    return [each for each in found if each]


def alarm(
    camera: str, judged: Sequence[Sequence[Hour]], reference: ReferenceScores
) -> Alarm | None:
    """The alarm of a camera; it ends with the first period that has not shifted.

    The periods are judged from the newest back: most cameras need one look.
    """
    since_ms, crops, newest = 0, 0, None
    for period in reversed(judged):
        scores = total(period)
        found = drift(scores, reference)
        if found is None or not found.is_alarming:
            break
        newest = newest or found
        since_ms, crops = period[0].begun_ms, crops + scores.crops
    return Alarm(camera, since_ms, newest.psi, crops) if newest else None


def periods(hours: Sequence[Hour]) -> list[list[Hour]]:
    """The hours that are judged together, oldest first.

    What is too little to judge is judged with the hours after it; the last ones may have to wait.
    """
    found, waiting = list[list[Hour]](), list[Hour]()
    for hour in hours:
        if waiting and hour.begun_ms - waiting[0].begun_ms >= _LONGEST_PERIOD_MS:
            waiting = []
        waiting = [*waiting, hour]
        if _is_enough(waiting):
            found.append(waiting)
            waiting = []
    return found


def _is_enough(hours: Sequence[Hour]) -> bool:
    return (
        sum(hour.scores.visits for hour in hours) >= MIN_VISITS
        and sum(hour.scores.crops for hour in hours) >= MIN_CROPS
    )
