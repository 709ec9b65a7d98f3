"""A worker is ready while it is connected to the broker and Redis and its loop turns."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from maskgate.protocol.errors import ConfigurationError
from worker.connections import ConnectionState, Service

_ASK_TIMEOUT_S = 2.0


class Health:
    """Written by the worker's thread, read by the server's: single attributes, so no lock."""

    def __init__(self, connections: ConnectionState, stalled_after_s: float) -> None:
        self._connections = connections
        self._stalled_after_s = stalled_after_s
        self._turned_s = time.monotonic()

    def turned(self) -> None:
        """Record that the loop has turned."""
        self._turned_s = time.monotonic()

    def complaints(self) -> list[str]:
        """Why this worker is not ready; empty if it is."""
        idle_s = time.monotonic() - self._turned_s
        checks = {
            "not connected to the broker": self._connections.is_connected(Service.BROKER),
            "not connected to Redis": self._connections.is_connected(Service.REDIS),
            f"the loop has not turned for {idle_s:.0f} s": idle_s <= self._stalled_after_s,
        }
        return [complaint for complaint, holds in checks.items() if not holds]

    def stalled(self) -> bool:
        """Whether the loop hangs. Only a restart helps."""
        return time.monotonic() - self._turned_s > self._stalled_after_s


@contextmanager
def serving(host: str, port: int, health: Health, registry: CollectorRegistry) -> Iterator[int]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` inside the ``with``; yields the port.

    ``/healthz`` fails if the loop hangs; ``/readyz`` also if the broker or Redis is away.

    Raises:
        ConfigurationError: the port is not free, or the address is not this machine's.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path in ("/healthz", "/readyz"):
                wrong = (
                    health.complaints()
                    if self.path == "/readyz"
                    else ["the loop stands still"] * health.stalled()
                )
                self._answer(
                    503 if wrong else 200,
                    ("\n".join(wrong) or "ok").encode() + b"\n",
                    "text/plain; charset=utf-8",
                )
            else:
                self._answer(404, b"/metrics /healthz /readyz\n", "text/plain; charset=utf-8")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Probes come every few seconds: not logged."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        msg = f"MASKGATE_METRICS_PORT: can't listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(msg) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def ask(port: int) -> str | None:
    """Ask the worker on this machine why it is not ready; None if it is ready."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=_ASK_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.read(500).decode(errors="replace").strip()
    except OSError as error:
        return f"no answer on port {port}: {error}"
    return None
