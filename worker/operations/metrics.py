"""``/metrics``, ``/healthz`` and ``/readyz`` of a worker."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from maskgate.runtime.http_server import Answer, listening
from worker.operations.health import Health

_TEXT = "text/plain; charset=utf-8"


def serving(
    host: str, port: int, health: Health, registry: CollectorRegistry
) -> AbstractContextManager[int]:
    """Serve inside the ``with``, which yields the port.

    ``/healthz`` fails if the loop hangs; ``/readyz`` also if the broker or Redis is away.

    Raises:
        ConfigurationError: the port is not free, or the address is not this machine's.
    """
    return listening(host, port, _answers(health, registry))


def _answers(health: Health, registry: CollectorRegistry) -> Callable[[str], Answer]:
    def answer(path: str) -> Answer:
        if path == "/metrics":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
        if path == "/healthz":
            return _verdict(["the loop stands still"] * health.stalled())
        if path == "/readyz":
            return _verdict(health.complaints())
        return Answer(404, _TEXT, b"/metrics /healthz /readyz\n")

    return answer


def _verdict(complaints: list[str]) -> Answer:
    text = "\n".join(complaints) or "ok"
    return Answer(503 if complaints else 200, _TEXT, f"{text}\n".encode())
