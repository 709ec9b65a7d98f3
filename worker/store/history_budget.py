"""Histories yield before verdicts: how many entries a camera's history may have now.

Redis runs with ``noeviction``, so that no verdict disappears, and verdicts are written even when it
is full. What would fill it are the histories: they become shorter as its memory becomes scarce.
"""

from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry, Gauge

#: Histories have their full length up to this share of Redis's memory limit, and are not written
#: from the second on.
_FULL_LENGTH_SHARE = 0.75
_NO_HISTORY_SHARE = 0.95

log = structlog.get_logger()


class HistoryBudget:
    """The length of a camera's history; ``wanted`` as long as Redis has memory enough."""

    def __init__(self, wanted: int, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._wanted = wanted
        self.length = wanted
        self._memory = Gauge(
            "maskgate_redis_memory_bytes", "Memory of Redis", ["kind"], registry=registry
        )
        self._entries = Gauge(
            "maskgate_history_entries", "Entries kept of a camera's history", registry=registry
        )
        self._entries.set(wanted)

    def observe(self, memory: Mapping[str, int]) -> None:
        """Adapt to ``used_memory`` and ``maxmemory`` of INFO, in bytes; 0 is no limit."""
        used, limit = memory.get("used_memory", 0), memory.get("maxmemory", 0)
        self._memory.labels("used").set(used)
        self._memory.labels("limit").set(limit)
        before, self.length = self.length, self._affordable(used / limit if limit else 0)
        self._entries.set(self.length)
        if (before == self._wanted) != (self.length == self._wanted):
            event = "history.shortened" if self.length < self._wanted else "history.full_length"
            log.warning(event, entries=self.length, used_bytes=used, limit_bytes=limit)

    def _affordable(self, share: float) -> int:
        left = (_NO_HISTORY_SHARE - share) / (_NO_HISTORY_SHARE - _FULL_LENGTH_SHARE)
        return int(self._wanted * min(1, max(0, left)))
