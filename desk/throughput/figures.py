"""The figures of a stretch of time: rates, latencies, outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

from desk.throughput.numbers import (
    BATCH,
    CROPS,
    LATENCY,
    REFUSED,
    STAGE,
    Numbers,
    by_label,
)
from desk.throughput.quantile import quantile

STAGES = ("decode", "infer", "write")
OUTCOMES = ("mask", "no_mask", "uncertain", "unreadable", "expired")


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: half of the observations are below ``p50_s``, 99 % below ``p99_s``.

    None without observations; infinite above the histogram's last limit.
    """

    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What all workers did together in ``seconds``."""

    seconds: float
    live_per_s: float | None
    audit_per_s: float | None
    #: Live crops by outcome; refused crops by reason, as the cameras' processes count them.
    outcomes: Mapping[str, int]
    unreadable: Mapping[str, int]
    refused: Mapping[str, int]
    #: From capture to the written verdict.
    latency: Latency
    stages: Mapping[str, Latency]
    batch_mean: float | None


def figures(grown: Numbers, seconds: float) -> Figures:
    """The figures of so many seconds, in which the counts grew by ``grown``."""
    by_queue = by_label(grown, CROPS, "queue")
    outcomes = _whole(by_label(grown, CROPS, "outcome", queue="live"))
    batches = sum(by_label(grown, f"{BATCH}_count", "").values())
    return Figures(
        seconds,
        by_queue.get("live", 0) / seconds if seconds else None,
        by_queue.get("audit", 0) / seconds if seconds else None,
        {outcome: outcomes.get(outcome, 0) for outcome in OUTCOMES},
        _most_first(by_label(grown, CROPS, "reason", outcome="unreadable")),
        _most_first(by_label(grown, REFUSED, "reason")),
        _latency(grown, LATENCY),
        {stage: _latency(grown, STAGE, stage=stage) for stage in STAGES},
        sum(by_label(grown, f"{BATCH}_sum", "").values()) / batches if batches else None,
    )


def _latency(grown: Numbers, name: str, **labels: str) -> Latency:
    counts = by_label(grown, f"{name}_bucket", "le", **labels)
    up_to = {float(limit): count for limit, count in counts.items()}
    return Latency(quantile(up_to, 0.5), quantile(up_to, 0.99))


def _whole(counts: Mapping[str, float]) -> dict[str, int]:
    return {name: round(count) for name, count in counts.items()}


def _most_first(counts: Mapping[str, float]) -> dict[str, int]:
    return dict(sorted(_whole(counts).items(), key=lambda item: (-item[1], item[0])))
