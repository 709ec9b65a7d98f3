"""A collector of OpenTelemetry traces in this process: OTLP over HTTP, on a free port."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.servers.ports import free_port


@dataclass(frozen=True)
class Received:
    """A span, and the service that made it."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()

    @property
    def attributes(self) -> dict[str, str | int]:
        return {
            each.key: each.value.string_value or each.value.int_value
            for each in self.span.attributes
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "OtlpReceiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.wait(60)
        self.server.requests.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class OtlpReceiver(http.server.ThreadingHTTPServer):
    """Keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), _Handler)
        self.requests: list[bytes] = []
        #: Clear it, and no request is answered.
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, name: str = "") -> list[Received]:
        """All spans so far, or those of a name, in the order of their beginning."""
        found = []
        for body in list(self.requests):
            for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {e.key: e.value.string_value for e in of_process.resource.attributes}
                for scope in of_process.scope_spans:
                    found += [Received(resource["service.name"], span) for span in scope.spans]
        return sorted(
            (each for each in found if name in ("", each.name)),
            key=lambda each: each.span.start_time_unix_nano,
        )


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.answers.set()
            server.shutdown()
            thread.join()
