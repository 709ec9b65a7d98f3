"""Traces of crops on the camera's side: from the picture to the broker's confirmation."""

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from maskgate.protocol.crop import Crop, Message
from maskgate.protocol.queue import Refusal

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from maskgate.runtime.spans import Spans

#: Crops whose trace is open; one that is never sent is forgotten at last.
MAX_OPEN = 1024
_NS_PER_MS = 1_000_000


class CropTraces:
    """Traces a share of the crops; without ``spans``, none. Thread-safe."""

    def __init__(self, spans: "Spans | None" = None) -> None:
        self._spans = spans
        self._open: OrderedDict[str, tuple[Span, Span]] = OrderedDict()

    def begin(self, crop: Crop, detected_ns: tuple[int, int] | None = None) -> Crop:
        """The crop that is to be sent: with a ``traceparent`` if it is traced.

        ``detected_ns`` is when the search for its face began and ended, in ns since the epoch.
        """
        spans = self._spans
        if spans is None or not spans.by_chance():
            return crop
        attributes = {
            "maskgate.camera_id": crop.camera_id,
            "maskgate.crop_id": crop.crop_id,
            "maskgate.track_id": crop.track_id,
        }
        captured_ns, now_ns = crop.captured_at_ms * _NS_PER_MS, time.time_ns()
        whole = spans.begin("crop", captured_ns, attributes=attributes)
        if detected_ns is not None:
            spans.add("capture", captured_ns, detected_ns[0], whole)
            spans.add("detect", *detected_ns, whole)
        publish = spans.begin("publish", now_ns, parent=whole, kind="producer")
        self._open[crop.crop_id] = publish, whole
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return msgspec.structs.replace(crop, traceparent=spans.traceparent(publish))

    def settled(self, message: Message, refusal: Refusal | None) -> None:
        """End this side's part of a trace: the broker has confirmed a message, or refused it."""
        if self._spans is None:
            return
        now_ns = time.time_ns()
        for span in self._open.pop(str(message.message_id), ()):
            if refusal is not None:
                self._spans.fail(span, refusal.value)
            span.end(now_ns)
