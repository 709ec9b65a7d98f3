"""``/metrics`` of the desk, on a port of its own: Prometheus does not sign in."""

from contextlib import AbstractContextManager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from maskgate.runtime.http_server import Answer, listening


def serving(host: str, port: int, registry: CollectorRegistry) -> AbstractContextManager[int]:
    """Serve inside the ``with``, which yields the port.

    Raises:
        ConfigurationError: the port is not free, or the address is not this machine's.
    """

    def answer(path: str) -> Answer:
        if path == "/metrics":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
        return Answer(404, "text/plain; charset=utf-8", b"/metrics\n")

    return listening(host, port, answer)
