"""What the log says of a worker: one line per interval, and the audit report when it changed."""

import time
from collections.abc import Mapping, Sequence

import structlog

from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import Outcome
from worker.connections import ConnectionState, Service
from worker.operations.health import Health
from worker.reporting.audit import report, slices
from worker.reporting.stats import Stats
from worker.result import CropResult
from worker.store.verdict_store import VerdictStore

log = structlog.get_logger()


class Reporter:
    """Writes ``worker.interval``, ``audit.report`` and ``audit.below_target`` to the log."""

    def __init__(
        self,
        stats: Stats,
        health: Health,
        connections: ConnectionState,
        store: VerdictStore,
        *,
        model: str,
        interval_s: float,
    ) -> None:
        self._stats = stats
        self._health = health
        self._connections = connections
        self._store = store
        self._model = model
        self._interval_s = interval_s
        self._audited: dict[str, int] = {}
        self._due_s = time.monotonic() + interval_s

    def turned(self) -> None:
        """Record that the loop has turned, and report if the interval is over."""
        self._health.turned()
        if time.monotonic() >= self._due_s:
            self.report()

    def processed(
        self, results: Sequence[CropResult], laps_s: Mapping[str, float], now_ms: int
    ) -> None:
        """Count a batch that is written: its results, seconds per stage, and Redis's time."""
        self._stats.batch(results, laps_s, now_ms)
        for result in results:
            if result.outcome is Outcome.UNREADABLE:
                log.debug(
                    "crop.unreadable",
                    crop_id=result.crop_id,
                    camera_id=result.camera_id,
                    reason=result.reason,
                )

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
        self._report_audit()

    def _report_audit(self) -> None:
        try:
            counts = self._store.audit_counts()
        except StoreError:
            return  # the loop's next call finds out as well, and logs it
        if counts == self._audited:
            return
        self._audited = counts
        audit = report(counts)
        by_slice = {name: report(counts, name).fields() for name in slices(counts)}
        log.info("audit.report", model=self._model, **audit.fields(), slices=by_slice)
        if audit.below_target:
            log.warning(
                "audit.below_target",
                model=self._model,
                measures=audit.below_target,
                **audit.fields(),
            )
