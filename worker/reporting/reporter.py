"""What the log says of a worker: one line per interval, and the audit reports that changed."""

import time
from collections.abc import Mapping, Sequence

import structlog

from maskgate.protocol.verdict import Outcome
from worker.connections import ConnectionState, Service
from worker.operations.health import Health
from worker.reporting.audit_log import AuditLog
from worker.reporting.stats import Stats
from worker.result import CropResult
from worker.scores.flusher import ScoreFlusher
from worker.store.verdict_store import VerdictStore

log = structlog.get_logger()


class Reporter:
    """Writes ``worker.interval`` to the log, and what the audit found."""

    def __init__(
        self,
        stats: Stats,
        health: Health,
        connections: ConnectionState,
        store: VerdictStore,
        *,
        model: str,
        interval_s: float,
        scores: ScoreFlusher | None = None,
    ) -> None:
        self._stats = stats
        self._health = health
        self._connections = connections
        self._model, self._scores = model, scores
        self._audit_log = AuditLog(store, model, stats.registry)
        self._interval_s = interval_s
        self._due_s = time.monotonic() + interval_s

    def serve(self, model: str) -> None:
        """The model with this name decides from now on: audit and scores are about it."""
        self._model = model
        self._audit_log.serve(model)

    def turned(self) -> None:
        """Record that the loop has turned, and report if the interval is over."""
        self._health.turned()
        if self._scores and self._connections.is_connected(Service.REDIS):
            self._scores.flush_if_due()
        if time.monotonic() >= self._due_s:
            self.report()

    def processed(
        self, results: Sequence[CropResult], laps_s: Mapping[str, float], now_ms: int
    ) -> None:
        """Count a batch that is written: its results, seconds per stage, and Redis's time.

        A batch without crops, of camera states alone, is none.
        """
        if not results:
            return
        self._stats.batch(results, laps_s, now_ms)
        if self._scores:
            self._scores.add(results, self._model)
        for result in results:
            if result.outcome is Outcome.UNREADABLE:
                log.debug(
                    "crop.unreadable",
                    crop_id=result.crop_id,
                    camera_id=result.camera_id,
                    reason=result.reason,
                )

    def camera_states(self, count: int) -> None:
        """Count camera states that are written: apart from crops, which have outcomes."""
        if count:
            self._stats.camera_states(count)

    def report(self) -> None:
        """Report now; the next interval begins."""
        self._due_s = time.monotonic() + self._interval_s
        broker_error = self._connections.error(Service.BROKER)
        log.info(
            "worker.interval",
            **self._stats.line(),
            ready=not self._health.complaints(),
            **({"error": broker_error} if broker_error else {}),
        )
        self._audit_log.report()
        if self._scores and self._connections.is_connected(Service.REDIS):
            self._scores.flush()
