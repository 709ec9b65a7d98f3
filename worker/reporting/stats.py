"""Counts what a worker did: Prometheus metrics, and the fields of a log line per interval."""

import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STAGES = ("decode", "infer", "write")


class Stats:
    """Counts since the start, for metrics, and since the last line, for the log."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._crops = Counter(
            "maskgate_crops",
            "Crops by how they ended",
            ["queue", "outcome", "reason"],
            registry=self.registry,
        )
        self._states = Counter(
            "maskgate_camera_states",
            "Camera states received, which are no crops",
            registry=self.registry,
        )
        self._batch = Histogram(
            "maskgate_batch_size", "Crops a batch", buckets=_SIZES, registry=self.registry
        )
        self._stage = Histogram(
            "maskgate_stage_seconds",
            "Time a batch spent in a stage",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._latency = BatchHistogram(
            "maskgate_latency_seconds", "From capture to verdict written", _SECONDS
        )
        self.registry.register(self._latency)
        self._begin()

    def batch(
        self, results: Sequence[CropResult], laps_s: Mapping[str, float], now_ms: int
    ) -> None:
        """Count a batch that is written: its results, seconds per stage, and Redis's time."""
        self._sizes.append(len(results))
        self._batch.observe(len(results))
        for stage in STAGES:
            self._stages[stage].append(laps_s[stage] * 1000)
            self._stage.labels(stage).observe(laps_s[stage])
        counts = Tally((result.queue, result.outcome, result.reason) for result in results)
        for (queue, outcome, reason), n in counts.items():
            self._crops.labels(queue.value, outcome.value, reason.value if reason else "").inc(n)
            self._outcomes[queue][outcome] += n
        captured_at_ms = [
            result.captured_at_ms or 0
            for result in results
            if result.p_mask is not None and result.queue is QueueKind.LIVE
        ]
        if captured_at_ms:
            latencies_ms = np.maximum(now_ms - np.asarray(captured_at_ms, np.float64), 0)
            self._latencies_ms.append(latencies_ms)
            self._latency.observe(latencies_ms / 1000)

    def camera_states(self, count: int) -> None:
        """Count camera states that are written."""
        self._states.inc(count)
        self._states_in_interval += count

    def line(self) -> dict[str, object]:
        """The fields of the log line for the interval that ends now; the next one begins.

        ``crops`` and the times are of live crops and audit samples; the counts by outcome are of
        live crops, those of samples are in ``audit``. ``camera_states`` are no crops: messages
        received are ``crops`` and ``camera_states``.
        """
        elapsed_s = time.monotonic() - self._since_s
        crops = sum(self._sizes)
        fields: dict[str, object] = {
            "interval_s": round(elapsed_s, 1),
            "crops": crops,
            "crops_per_s": round(crops / elapsed_s, 1) if elapsed_s else 0.0,
            "batches": len(self._sizes),
            "batch_mean": round(crops / len(self._sizes), 1) if self._sizes else 0.0,
            "batch_max": max(self._sizes, default=0),
            **{outcome.value: self._outcomes[QueueKind.LIVE][outcome] for outcome in Outcome},
            "camera_states": self._states_in_interval,
            "audit": {outcome.value: n for outcome, n in self._outcomes[QueueKind.AUDIT].items()},
            **_percentiles(
                "latency_ms", np.concatenate(self._latencies_ms) if self._latencies_ms else ()
            ),
        }
        for stage in STAGES:
            fields |= _percentiles(f"{stage}_ms", self._stages[stage])
        self._begin()
        return fields

    def _begin(self) -> None:
        self._since_s = time.monotonic()
        self._sizes: list[int] = []
        self._states_in_interval = 0
        self._stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
        self._latencies_ms: list[npt.NDArray[np.float64]] = []
        self._outcomes: dict[QueueKind, Tally[Outcome]] = {kind: Tally() for kind in QueueKind}


class BatchHistogram(Collector):
    """A Prometheus histogram that observes an array of values at once.

    The library's own observes one value per call.
    """

    def __init__(self, name: str, documentation: str, up_to: Sequence[float]) -> None:
        self._name, self._documentation = name, documentation
        self._up_to = np.asarray(up_to)
        self._counts = np.zeros(len(up_to) + 1, np.int64)
        self._sum = 0.0

    def observe(self, values: npt.NDArray[np.float64]) -> None:
        """Observe values, shape (n,), in the unit of the limits."""
        self._counts += np.bincount(
            np.searchsorted(self._up_to, values), minlength=len(self._counts)
        )
        self._sum += float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Called by the library's registry when metrics are read."""
        limits = [*(str(limit) for limit in self._up_to.tolist()), "+Inf"]
        buckets = list(zip(limits, np.cumsum(self._counts).tolist(), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum)


def _percentiles(name: str, values: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, object]:
    if not len(values):
        return {f"{name}_p50": None, f"{name}_p99": None}
    p50, p99 = np.percentile(np.asarray(values), (50, 99))
    return {f"{name}_p50": round(float(p50), 2), f"{name}_p99": round(float(p99), 2)}
