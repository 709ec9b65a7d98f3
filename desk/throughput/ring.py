"""What was seen in the last hour, in memory: one point for each look, the oldest falls out."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from desk.throughput.numbers import Numbers
from desk.throughput.scrape import Scraped

KEPT_S = 3600


@dataclass(frozen=True, slots=True)
class Point:
    """One look. ``grown`` is by how much the counts of all processes grew in ``seconds``."""

    at_ms: int
    seconds: float
    grown: Numbers
    #: Of the worker whose page said most: all read the same Redis.
    levels: Numbers = field(default_factory=dict)
    #: Messages that wait, by queue; empty if the broker did not answer.
    depths: Mapping[str, int | None] = field(default_factory=dict)
    broker_trouble: str = ""
    workers: Sequence[Scraped] = ()
    cameras: Sequence[Scraped] = ()


class Ring:
    """The points of the last hour, the oldest first. Written by one thread, read by others."""

    def __init__(self, interval_s: float) -> None:
        self._points: deque[Point] = deque(maxlen=max(1, int(KEPT_S / interval_s)))
        self._lock = threading.Lock()

    def add(self, point: Point) -> None:
        """Add the newest point; forget the oldest if the ring is full."""
        with self._lock:
            self._points.append(point)

    def points(self, seconds: float = KEPT_S) -> list[Point]:
        """The points of the last so many seconds, counted back from the newest."""
        with self._lock:
            points = list(self._points)
        since_ms = points[-1].at_ms - seconds * 1000 if points else 0
        return [point for point in points if point.at_ms > since_ms]
