"""Measures by day as an SVG picture: a dot for the value, a line for its interval, the target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from desk.precision.reader import Named
from desk.precision.shown import percent
from maskgate.audit.report import TARGETS
from maskgate.audit.share import Share

WIDTH, HEIGHT = 480, 170
LEFT, _BOTTOM, _TOP = 66, 22, 8
#: The axis begins here, or lower if a day's value is lower.
_LOWEST = 0.9


@dataclass(frozen=True, slots=True)
class Dot:
    """A day, in the picture's units; ``y_low`` and ``y_high`` are the interval's ends."""

    x: float
    y: float
    y_low: float
    y_high: float
    text: str


@dataclass(frozen=True, slots=True)
class DayPlot:
    """The picture of one measure. ``ticks`` are values of the axis with their heights."""

    measure: str
    dots: Sequence[Dot]
    target_y: float
    target: str
    ticks: Sequence[tuple[float, str]]
    days: Sequence[tuple[float, str]]


def day_plot(measure: str, days: Sequence[Named]) -> DayPlot:
    """The picture of a measure over these days, oldest first; days without samples are empty."""
    floor, step = _floor(measure, days), (WIDTH - LEFT - 10) / max(1, len(days) - 1)
    at = [(round(LEFT + position * step, 1), day) for position, day in enumerate(days)]
    dots = [_dot(x, day.name, day.report.shares[measure], floor) for x, day in at]
    marks = [floor, (floor + 1) / 2, 1.0]
    return DayPlot(
        measure,
        [dot for dot in dots if dot],
        _y(TARGETS[measure], floor),
        percent(TARGETS[measure]),
        [(_y(mark, floor), percent(mark)) for mark in marks],
        [(x, day.name[5:]) for x, day in at[::7]],
    )


def _floor(measure: str, days: Sequence[Named]) -> float:
    values = [day.report.shares[measure].value for day in days]
    lowest = min((value for value in values if value is not None), default=1.0)
    return max(0.0, min(_LOWEST, math.floor(lowest * 20 - 0.5) / 20))


def _dot(x: float, day: str, share: Share, floor: float) -> Dot | None:
    if share.value is None:
        return None
    low, high = share.interval()
    text = f"{day}: {percent(share.value)} of {share.n:,}"
    return Dot(x, _y(share.value, floor), _y(low, floor), _y(high, floor), text)


def _y(share: float, floor: float) -> float:
    """The height of a share; what is below the floor is cut off there."""
    inside = (1 - max(share, floor)) / (1 - floor)
    return round(_TOP + inside * (HEIGHT - _TOP - _BOTTOM), 1)
