"""The audit in log and metrics, for each window: its measures, and those below their target."""

import math
from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry, Gauge

from maskgate.audit.report import TARGETS, report, slices
from maskgate.protocol.errors import StoreError
from worker.store.verdict_store import VerdictStore

#: A day is for reading: judged from its first samples on, it would often be below by chance.
_JUDGED = ("newest", "30d")

log = structlog.get_logger()


class AuditLog:
    """Writes ``audit.report`` when a window has changed, and ``audit.below_target``."""

    def __init__(self, store: VerdictStore, model: str, registry: CollectorRegistry) -> None:
        self._store = store
        self._model = model
        self._reported: Mapping[str, Mapping[str, float]] = {}
        labels = ["window", "measure"]
        self._share = Gauge(
            "maskgate_audit_share",
            "Measures of the audit, over all workers",
            labels,
            registry=registry,
        )
        self._below = Gauge(
            "maskgate_audit_below_target", "1 while a measure is", labels, registry=registry
        )

    def serve(self, model: str) -> None:
        """Report on the model with this name from now on."""
        self._model = model

    def report(self) -> None:
        """Report the windows that have changed since the last call."""
        try:
            windows = self._store.audit_counts()
        except StoreError:
            return  # the loop's next call finds out as well, and logs it
        for window, counts in windows.items():
            if counts != self._reported.get(window, {}):
                self._report(window, counts)
        self._reported = windows

    def _report(self, window: str, counts: Mapping[str, float]) -> None:
        audit = report(counts)
        below = audit.below_target if window in _JUDGED else []
        for name, share in audit.shares.items():
            self._share.labels(window, name).set(math.nan if share.value is None else share.value)
            if window in _JUDGED:
                self._below.labels(window, name).set(name in below)
        if not audit.n:
            return  # a new day
        by_slice = {name: report(counts, name).fields() for name in slices(counts)}
        line = {"model": self._model, "window": window, **audit.fields()}
        log.info("audit.report", **line, slices=by_slice)
        if below:
            targets = {name: TARGETS[name] for name in below}
            log.warning("audit.below_target", **line, measures=below, targets=targets)
