"""The worker: take what has arrived, classify it, write it, settle it."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import structlog

from maskgate.protocol.errors import BrokerError, StoreError
from maskgate.protocol.queue import CropIntake, Delivery
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.clock import Clock
from maskgate.runtime.stop import Stop
from worker.audit import report, slices
from worker.classify import MaskModel, classify
from worker.health import Health
from worker.native_stderr import MutedStderr
from worker.redis_clock import RedisClock
from worker.stats import Stats
from worker.verdict_store import VerdictStore

#: An idle loop turns this often: how long a request to stop may wait.
_IDLE_TURN_S = 0.2
_HEARTBEAT_S = 1.0

log = structlog.get_logger()


class Worker:
    """One thread, one connection. See the rules for the worker in the design."""

    def __init__(
        self,
        intake: CropIntake,
        store: VerdictStore,
        model: MaskModel,
        *,
        stats: Stats,
        health: Health,
        stop: Stop,
        clock: Clock,
        max_age_ms: int,
        max_skew_ms: int,
        max_batch: int,
        report_interval_s: float,
    ) -> None:
        self._intake = intake
        self._store = store
        self._model = model
        self._stats = stats
        self._health = health
        self._stop = stop
        self._redis_clock = RedisClock(clock)
        self._muted = MutedStderr()
        self._max_age_ms = max_age_ms
        self._max_skew_ms = max_skew_ms
        self._max_batch = max_batch
        self._report_interval_s = report_interval_s
        # An outage is one line in the log, however many attempts it takes.
        self._broker_lost = False
        self._redis_lost = False
        self._audited: dict[str, int] = {}
        self._next_heartbeat_s = 0.0
        self._next_report_s = time.monotonic() + report_interval_s

    def run(self) -> None:
        """Work until asked to stop; the broker and Redis may come and go meanwhile."""
        backoff = Backoff()
        while not self._stop.requested:
            try:
                self._intake.connect()
                self._set_connected(broker=True)
                self._broker_lost = False
                log.info("broker.connected")
                self._serve(backoff)
            except BrokerError as error:
                self._lost_broker(error, backoff)
        self._intake.close()
        self._set_connected(broker=False)
        self._report()

    def _serve(self, backoff: Backoff) -> None:
        while not self._stop.requested:
            self._health.turned()
            self._beat()
            batch = self._intake.receive(self._max_batch, _IDLE_TURN_S)
            backoff.reset()
            for part in _parts(batch):
                if not self._work(part):
                    break  # acknowledging what comes after it would acknowledge it too
            if time.monotonic() >= self._next_report_s:
                self._report()

    def _work(self, batch: Sequence[Delivery]) -> bool:
        """Classify, write and settle; False if a stop was requested while it could not be written."""
        # Ages are judged by Redis's clock, the one that the verdicts' expiry goes by.
        now_ms, skew_ms = (
            self._redis_clock.now_ms(),
            self._max_skew_ms + self._redis_clock.uncertain_ms,
        )
        with self._muted:
            classified = classify(
                batch, self._model, now_ms=now_ms, max_age_ms=self._max_age_ms, max_skew_ms=skew_ms
            )
        started_s = time.perf_counter()
        backoff = Backoff()
        while not self._try_store(lambda: self._store.write(classified.ends, self._intake.read)):
            if self._stop.requested:
                return False  # unsettled: the broker gives the batch to another worker
            self._health.turned()
            if time.monotonic() >= self._next_report_s:
                self._report()
            self._intake.keep_alive(backoff.next_s())
        self._stats.batch(
            classified, write_s=time.perf_counter() - started_s, now_ms=self._redis_clock.now_ms()
        )
        self._intake.settle(
            batch, {end.tag for end in classified.ends if end.outcome is Outcome.UNREADABLE}
        )
        for end in classified.ends:
            if end.outcome is Outcome.UNREADABLE:
                log.debug(
                    "crop.unreadable",
                    crop_id=end.crop_id,
                    camera_id=end.camera_id,
                    reason=end.reason,
                )
        return True

    def _beat(self) -> None:
        if time.monotonic() < self._next_heartbeat_s:
            return
        self._next_heartbeat_s = time.monotonic() + _HEARTBEAT_S

        self._try_store(lambda: self._redis_clock.heard(self._store.heartbeat()))

    def _try_store(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except StoreError as error:
            if not self._redis_lost:
                log.warning("redis.lost", error=str(error))
            self._redis_lost = True
            self._stats.retries.labels("redis").inc()
            self._set_connected(redis=False)
            return False
        if not self._health.redis:
            log.info("redis.connected")
            self._set_connected(redis=True)
        self._redis_lost = False
        return True

    def _lost_broker(self, error: BrokerError, backoff: Backoff) -> None:
        if not self._broker_lost:
            log.warning("broker.lost", error=str(error))
        self._broker_lost = True
        self._stats.retries.labels("broker").inc()
        self._set_connected(broker=False)
        self._health.turned()
        if time.monotonic() >= self._next_report_s:
            self._report(error=str(error))
        self._stop.sleep(backoff.next_s())

    def _set_connected(self, *, broker: bool | None = None, redis: bool | None = None) -> None:
        if broker is not None:
            self._health.broker = broker
            self._stats.connected.labels("broker").set(broker)
        if redis is not None:
            self._health.redis = redis
            self._stats.connected.labels("redis").set(redis)

    def _report(self, **extra: object) -> None:
        self._next_report_s = time.monotonic() + self._report_interval_s
        log.info(
            "worker.interval", **self._stats.line(), ready=not self._health.complaints(), **extra
        )
        try:
            counts = self._store.audit_counts()
        except StoreError:
            return  # the next turn says that Redis is lost
        if counts == self._audited:
            return
        self._audited = counts
        audit = report(counts)
        by_slice = {name: report(counts, name).fields() for name in slices(counts)}
        log.info("audit.report", model=self._model.card.name, **audit.fields(), slices=by_slice)
        if audit.below_target:
            log.warning(
                "audit.below_target",
                model=self._model.card.name,
                measures=audit.below_target,
                **audit.fields(),
            )


def _parts(batch: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """In their order, but crops that somebody held before and did not settle each by itself: one that kills takes nobody along."""
    for redelivered, part in groupby(batch, key=lambda delivery: delivery.redelivered):
        if redelivered:
            yield from ([delivery] for delivery in part)
        else:
            yield list(part)
