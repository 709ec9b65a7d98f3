"""What a metrics page says, as plain numbers: series of metrics, their growth and their sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

CROPS = "maskgate_crops_total"
STATES = "maskgate_camera_states_total"
RETRIES = "maskgate_retries_total"
BATCH = "maskgate_batch_size"
STAGE = "maskgate_stage_seconds"
LATENCY = "maskgate_latency_seconds"
#: Of a camera's process, not of a worker.
REFUSED = "maskgate_camera_refused_total"
MEMORY = "maskgate_redis_memory_bytes"
HISTORY = "maskgate_history_entries"

_COUNTS = frozenset(
    {CROPS, STATES, RETRIES, REFUSED}
    | {f"{name}_{part}" for name in (BATCH, STAGE, LATENCY) for part in ("bucket", "sum", "count")}
)
_LEVELS = frozenset({MEMORY, HISTORY})
#: When a worker made its metrics. A camera's process does not tell.
_BEGAN = f"{BATCH}_created"


class Series(NamedTuple):
    """One line of a page: the metric's name and its labels."""

    name: str
    labels: tuple[tuple[str, str], ...]


Numbers = Mapping[Series, float]


@dataclass(frozen=True, slots=True)
class Page:
    """The numbers of one process: ``counts`` since its start, ``levels`` now."""

    began_s: float | None
    counts: Numbers
    levels: Numbers


def parse(text: str) -> Page:
    """Read a page in Prometheus's text format.

    Raises:
        ValueError: it is none.
    """
    began_s: float | None = None
    counts: dict[Series, float] = {}
    levels: dict[Series, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = _series(sample.name, tuple(sorted(sample.labels.items())))
            if sample.name in _COUNTS:
                counts[series] = sample.value
            elif sample.name in _LEVELS:
                levels[series] = sample.value
            elif sample.name == _BEGAN:
                began_s = sample.value
    return Page(began_s, counts, levels)


@lru_cache(10_000)
def _series(name: str, labels: tuple[tuple[str, str], ...]) -> Series:
    """One object for each series: an hour of points names each hundreds of times."""
    return Series(name, labels)


def growth(before: Page | None, now: Page) -> Numbers:
    """By how much each count grew.

    A process that was started again in between began at 0. Nothing grew if it was not seen before.
    """
    if before is None:
        return {}
    began_anew = now.began_s != before.began_s or any(
        now.counts.get(series, 0) < value for series, value in before.counts.items()
    )
    base: Numbers = {} if began_anew else before.counts
    return {series: value - base.get(series, 0) for series, value in now.counts.items()}


def summed(many: Iterable[Numbers]) -> dict[Series, float]:
    """The sum of each series."""
    total: dict[Series, float] = {}
    for numbers in many:
        for series, value in numbers.items():
            total[series] = total.get(series, 0) + value
    return total


def select(numbers: Numbers, name: str, **labels: str) -> dict[Series, float]:
    """The series of a metric with these labels."""
    wanted = set(labels.items())
    return {
        series: value
        for series, value in numbers.items()
        if series.name == name and wanted <= set(series.labels)
    }


def by_label(numbers: Numbers, name: str, label: str, **labels: str) -> dict[str, float]:
    """The sums of a metric by the value of a label."""
    found: dict[str, float] = {}
    for series, value in select(numbers, name, **labels).items():
        key = dict(series.labels).get(label, "")
        found[key] = found.get(key, 0) + value
    return found
