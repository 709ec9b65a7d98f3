"""What was seen in the last hour, in memory: one point for each look, the oldest falls out."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from desk.throughput.figures import Figures, figures
from desk.throughput.numbers import Numbers
from desk.throughput.scrape import Scraped

KEPT_S = 3600


@dataclass(frozen=True, slots=True)
class Point:
    """One look: ``at_ms`` for people, ``at_s`` by the monotonic clock for rates."""

    at_ms: int
    at_s: float
    #: What all processes counted since the desk looks, over their restarts.
    total: Numbers
    #: Of the worker whose page says most: all read the same Redis.
    levels: Numbers = field(default_factory=dict)
    #: Messages that wait, by queue; empty if the broker did not answer.
    depths: Mapping[str, int | None] = field(default_factory=dict)
    broker_trouble: str = ""
    workers: Sequence[Scraped] = ()
    cameras: Sequence[Scraped] = ()


class Ring:
    """The points of the last hour, the oldest first. Written by one thread, read by others."""

    def __init__(self, interval_s: float) -> None:
        most = int(KEPT_S / interval_s) + 1
        self._points: deque[Point] = deque(maxlen=most)
        self._steps: deque[tuple[Point, Figures]] = deque(maxlen=most - 1)
        self._lock = threading.Lock()

    def add(self, point: Point) -> None:
        """Add the newest point; forget the oldest if the ring is full."""
        with self._lock:
            if self._points:
                self._steps.append((point, _between(self._points[-1], point)))
            self._points.append(point)

    @property
    def newest(self) -> Point | None:
        """The newest point."""
        with self._lock:
            return self._points[-1] if self._points else None

    def since(self, seconds: float) -> Figures | None:
        """The figures of the last so many seconds; None before the second look."""
        with self._lock:
            points = list(self._points)
        if len(points) < 2:
            return None
        begin_s = points[-1].at_s - seconds
        before = next((each for each in reversed(points[:-1]) if each.at_s <= begin_s), points[0])
        return _between(before, points[-1])

    def steps(self) -> list[tuple[Point, Figures]]:
        """Each point but the first, with the figures since the one before it."""
        with self._lock:
            return list(self._steps)


def _between(before: Point, now: Point) -> Figures:
    grown = {series: value - before.total.get(series, 0) for series, value in now.total.items()}
    return figures(grown, now.at_s - before.at_s)
