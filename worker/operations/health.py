"""A worker is ready while it is connected to the broker and Redis and its loop turns."""

import time

from prometheus_client import CollectorRegistry, Gauge

from worker.connections import ConnectionState, Service


class Health:
    """Written by the worker's thread, read by the server's: single attributes, so no lock."""

    def __init__(
        self,
        connections: ConnectionState,
        stalled_after_s: float,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._connections = connections
        self._stalled_after_s = stalled_after_s
        self._turned_s = time.monotonic()
        ready = Gauge("maskgate_ready", "1 while /readyz answers 200", registry=registry)
        ready.set_function(lambda: not self.complaints())

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
