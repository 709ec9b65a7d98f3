"""Traces of crops on the worker's side: made when a batch is acknowledged, from its stopwatch."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from maskgate.protocol.crop import sampled_trace
from maskgate.protocol.queue import Delivery
from worker.result import CropResult

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from maskgate.runtime.spans import Spans

#: A sender decides which of its crops are traced; it must not decide how much of a worker's time
#: that takes. A crop and its batch take about .3 ms.
_MOST_PER_S = 50


class BatchTraces:
    """Traces the crops whose senders ask for it, and their batches; without ``spans``, nothing."""

    def __init__(self, spans: "Spans | None" = None, most_per_s: int = _MOST_PER_S) -> None:
        self._spans = spans
        self._most_per_s = most_per_s
        self._second = self._in_second = 0

    def acknowledged(
        self, batch: Sequence[Delivery], results: Sequence[CropResult], laps_s: Mapping[str, float]
    ) -> None:
        """Trace a batch whose last stage ends now; ``laps_s`` are its stages in their order."""
        spans = self._spans
        if spans is None:
            return
        parents = self._parents(batch, results)
        if not parents and not spans.by_chance():
            return
        begun_ns = time.time_ns() - sum(map(_ns, laps_s.values()))
        count: dict[str, str | int] = {"messaging.batch.message_count": len(batch)}
        links = [parent for parent, _ in parents]
        whole = spans.begin("batch", begun_ns, attributes=count, links=links)
        _add_stages(spans, whole, begun_ns, laps_s)
        for parent, result in parents:
            process = spans.begin(
                "process", begun_ns, parent=parent, kind="consumer", attributes=_described(result)
            )
            if result.reason is not None:
                spans.fail(process, result.reason.value)
            _add_stages(spans, process, begun_ns, laps_s)

    def _parents(
        self, batch: Sequence[Delivery], results: Sequence[CropResult]
    ) -> list[tuple[str, CropResult]]:
        """The crops to trace: the context that each came with, and its result."""
        asked = {
            each.tag: trace for each in batch if (trace := sampled_trace(each.message)) is not None
        }
        if not asked:
            return []
        left = self._left_in_second()
        wanted = [(asked[each.tag], each) for each in results if each.tag in asked][:left]
        self._in_second += len(wanted)
        return wanted

    def _left_in_second(self) -> int:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        return self._most_per_s - self._in_second


def _add_stages(spans: "Spans", whole: "Span", begun_ns: int, laps_s: Mapping[str, float]) -> None:
    """Add a span for each stage, one after the other, and end the whole with the last."""
    for stage, lap_s in laps_s.items():
        ended_ns = begun_ns + _ns(lap_s)
        spans.add(stage, begun_ns, ended_ns, whole)
        begun_ns = ended_ns
    whole.end(begun_ns)


def _described(result: CropResult) -> dict[str, str | int]:
    ids = {
        "maskgate.camera_id": result.camera_id,
        "maskgate.crop_id": result.crop_id,
        "maskgate.track_id": result.track_id,
    }
    known: dict[str, str | int] = {name: value for name, value in ids.items() if value is not None}
    return known | {"maskgate.outcome": result.outcome.value, "maskgate.queue": result.queue.value}


def _ns(duration_s: float) -> int:
    return round(duration_s * 1e9)
