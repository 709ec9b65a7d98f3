"""The figures as the page's words and numbers: rows of a table, curves of a plot."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from desk.throughput.figures import OUTCOMES, STAGES, Figures, Latency
from desk.throughput.numbers import HISTORY, MEMORY, by_label
from desk.throughput.ring import Point, Ring
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE

#: Above the last limit of a worker's histogram nobody knows how far.
_LAST_LIMIT_MS = 3000
_MINUTE_S, _HOUR_S = 60, 3600
_NONE = "–"
_QUEUES = ((LIVE_QUEUE, "live"), (AUDIT_QUEUE, "audit"), (DEAD_QUEUE, "dead letters"))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what it is, in the last minute, in the last hour."""

    name: str
    minute: str
    hour: str
    #: Part of the row above it.
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot; None where nothing is known."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over the same times."""

    key: str
    title: str
    unit: str
    curves: Sequence[Curve]


def speeds(ring: Ring) -> list[Row]:
    """Rates and times; with what a histogram tells, times are not exact."""
    minute, hour = ring.since(_MINUTE_S), ring.since(_HOUR_S)
    return [
        _row("Live crops a second", minute, hour, lambda each: rate(each.live_per_s)),
        _row("Audit samples a second", minute, hour, lambda each: rate(each.audit_per_s)),
        _row("Crops a batch", minute, hour, lambda each: rate(each.batch_mean)),
        _row("Capture to verdict", minute, hour, lambda each: latency(each.latency)),
        *(_stage(stage, minute, hour) for stage in STAGES),
    ]


def outcomes(ring: Ring) -> list[Row]:
    """How live crops ended; below unreadable its reasons; and what never came to a worker."""
    minute, hour = ring.since(_MINUTE_S), ring.since(_HOUR_S)
    if minute is None or hour is None:
        return []
    rows = []
    for outcome in OUTCOMES:
        rows.append(_counted(outcome, minute.outcomes, hour.outcomes))
        if outcome == "unreadable":
            rows += _parts(minute.unreadable, hour.unreadable)
    refused = [{"refused": sum(each.refused.values())} for each in (minute, hour)]
    return [*rows, _counted("refused", *refused), *_parts(minute.refused, hour.refused)]


def memory(point: Point) -> str:
    """The memory of Redis, of its limit."""
    bytes_of = by_label(point.levels, MEMORY, "kind")
    used, limit = bytes_of.get("used"), bytes_of.get("limit")
    if not used:
        return _NONE
    share = f" of {limit / 2**20:,.0f} MiB ({used / limit:.0%})" if limit else ", no limit"
    return f"{used / 2**20:,.1f} MiB{share}"


def history(point: Point) -> str:
    """How many entries of a camera's history are kept."""
    entries = sum(by_label(point.levels, HISTORY, "").values())
    return count(round(entries)) if entries else _NONE


def plots(ring: Ring, *, newest_only: bool = False) -> tuple[list[int], list[Plot]]:
    """Times in seconds since the epoch, and the curves over them, for the last hour."""
    steps = ring.steps()[-1:] if newest_only else ring.steps()
    speed = {
        "live": [_rounded(step.live_per_s) for _, step in steps],
        "audit": [_rounded(step.audit_per_s) for _, step in steps],
    }
    time_ms = {
        "p50": [_plotted_ms(step.latency.p50_s) for _, step in steps],
        "p99": [_plotted_ms(step.latency.p99_s) for _, step in steps],
    }
    waiting = {name: [point.depths.get(queue) for point, _ in steps] for queue, name in _QUEUES}
    return [point.at_ms // 1000 for point, _ in steps], [
        Plot("rates", "Crops a second", "/s", _curves(speed)),
        Plot("latency", "Capture to verdict", "ms", _curves(time_ms)),
        Plot("queues", "Messages that wait", "", _curves(waiting)),
    ]


def latency(found: Latency) -> str:
    """Median and 99th percentile."""
    return _NONE if found.p50_s is None else f"{_ms(found.p50_s)} / {_ms(found.p99_s)}"


def rate(value: float | None) -> str:
    """A rate to a tenth."""
    return _NONE if value is None else f"{value:,.1f}"


def count(value: int | None) -> str:
    """A whole number; a dash for none."""
    return _NONE if value is None else f"{value:,}"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    if math.isinf(seconds):
        return f"> {_LAST_LIMIT_MS:,} ms"
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def _plotted_ms(seconds: float | None) -> float | None:
    return None if seconds is None else min(round(seconds * 1000, 2), _LAST_LIMIT_MS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _curves(columns: Mapping[str, Sequence[float | None]]) -> list[Curve]:
    return [Curve(name, values) for name, values in columns.items()]


def _row(
    name: str, minute: Figures | None, hour: Figures | None, text: Callable[[Figures], str]
) -> Row:
    return Row(name, text(minute) if minute else _NONE, text(hour) if hour else _NONE)


def _stage(stage: str, minute: Figures | None, hour: Figures | None) -> Row:
    return _row(f"Batch: {stage}", minute, hour, lambda each: latency(each.stages[stage]))


def _counted(name: str, minute: Mapping[str, int], hour: Mapping[str, int]) -> Row:
    return Row(name, count(minute.get(name, 0)), count(hour.get(name, 0)))


def _parts(minute: Mapping[str, int], hour: Mapping[str, int]) -> list[Row]:
    rows = [_counted(name, minute, hour) for name, n in hour.items() if n]
    return [replace(row, is_part=True) for row in rows]
