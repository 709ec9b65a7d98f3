"""Makes OpenTelemetry's spans and sends them to a collector, in a thread of their own.

A collector that is slow or away costs spans, never crops: the queue of spans is bounded, a request
may take two seconds, and an outage is two log lines.
"""

import logging
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Literal

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

#: Spans that wait for the collector; more are dropped.
MAX_WAITING = 2048
_SEND_EVERY_MS = 1000
_REQUEST_TIMEOUT_S = 2.0
#: A process that stops waits so long for its last spans to be sent.
_CLOSE_TIMEOUT_S = 2.0

log = structlog.get_logger()


class Spans:
    """Spans of one process. Thread-safe.

    ``url`` is the base URL of a collector that takes OTLP over HTTP, ``ratio`` the share of what
    begins here that is traced.
    """

    def __init__(self, url: str, ratio: float, service: str, instance: str) -> None:
        _silence_library()
        self._ratio = ratio
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=_REQUEST_TIMEOUT_S)
        resource = {"service.name": service, "service.instance.id": instance}
        self._provider = TracerProvider(
            ALWAYS_ON,  # whoever begins a trace asks by_chance()
            Resource.create(resource),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Outages(exporter), MAX_WAITING, _SEND_EVERY_MS, min(512, MAX_WAITING)
            )
        )
        self._tracer = self._provider.get_tracer("maskgate")

    def by_chance(self) -> bool:
        """Whether something that begins here is traced."""
        return random.random() < self._ratio

    def begin(
        self,
        name: str,
        begun_ns: int,
        *,
        parent: Span | str | None = None,
        kind: Literal["internal", "producer", "consumer"] = "internal",
        attributes: Mapping[str, str | int] | None = None,
        links: Sequence[str] = (),
    ) -> Span:
        """A span that its caller ends; times are nanoseconds since the epoch.

        ``parent`` is a span, or the valid ``traceparent`` of another process; without one, a trace
        begins. ``links`` are such strings too.
        """
        context = Context()  # explicit: nothing here is the current span of a thread
        if parent is not None:
            span = NonRecordingSpan(_remote(parent)) if isinstance(parent, str) else parent
            context = set_span_in_context(span, context)
        return self._tracer.start_span(
            name,
            context,
            SpanKind[kind.upper()],
            attributes,
            [Link(_remote(each)) for each in links],
            begun_ns,
        )

    def add(self, name: str, begun_ns: int, ended_ns: int, parent: Span) -> None:
        """A span that is over."""
        self.begin(name, begun_ns, parent=parent).end(max(begun_ns, ended_ns))

    def fail(self, span: Span, reason: str) -> None:
        """Say of a span that is not ended yet why it failed."""
        span.set_attribute("error.type", reason)
        span.set_status(StatusCode.ERROR)

    def traceparent(self, span: Span) -> str:
        """The header by which another process goes on with a trace (W3C Trace Context)."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def close(self) -> None:
        """Send what waits, as far as two seconds allow."""
        # The library waits up to 30 s, and its threads are daemons: they end with the process.
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(_CLOSE_TIMEOUT_S)


def _remote(header: str) -> SpanContext:
    _, trace_id, span_id, _ = header.split("-")
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled)


class _Outages(SpanExporter):
    """Logs once when the collector takes no spans, and once when it does again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._works = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See OpenTelemetry's SpanExporter."""
        result = self._exporter.export(spans)
        works = result is SpanExportResult.SUCCESS
        if works and not self._works:
            log.info("traces.sent_again")
        elif not works and self._works:
            log.warning("traces.lost", error="the collector at MASKGATE_TRACES_URL takes no spans")
        self._works = works
        return result

    def shutdown(self) -> None:
        """See OpenTelemetry's SpanExporter."""
        self._exporter.shutdown()


def _silence_library() -> None:
    """The library logs each failed request, as text among lines of JSON."""
    library = logging.getLogger("opentelemetry")
    library.propagate = False
    library.addHandler(logging.NullHandler())
