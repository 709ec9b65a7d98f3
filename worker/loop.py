"""The worker's loop: receive what is there, validate, infer, merge, write, acknowledge."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from maskgate.protocol.camera_state import SentState
from maskgate.protocol.crop import known_ids
from maskgate.protocol.errors import BrokerError, Reason
from maskgate.protocol.queue import CropConsumer, Delivery
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.stop import Stop
from worker.connections import ConnectionState, Service
from worker.infer import MaskModel, infer, merge
from worker.models.served import ServedModels
from worker.native_stderr import MutedStderr
from worker.reporting.reporter import Reporter
from worker.reporting.stopwatch import Stopwatch
from worker.reporting.traces import BatchTraces
from worker.result import CropResult
from worker.review.sampler import ReviewSampler
from worker.store.redis_clock import RedisClock
from worker.store.verdict_store import VerdictStore
from worker.validate import Validated, unreadable, validate

#: How long an idle loop waits for a crop, and so how long a request to stop may wait.
_IDLE_TURN_S = 0.2
_HEARTBEAT_S = 1.0
#: A crop whose worker died so often while it processed it is a dead letter.
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Crops per batch, and the age in milliseconds that a live crop may have."""

    max_batch: int
    max_age_ms: int
    #: How far ahead of Redis's clock a crop may be stamped.
    max_skew_ms: int


class Worker:
    """One thread, one connection to the broker, one to Redis."""

    def __init__(
        self,
        consumer: CropConsumer,
        store: VerdictStore,
        models: ServedModels,
        *,
        limits: Limits,
        clock: RedisClock,
        connections: ConnectionState,
        reporter: Reporter,
        stop: Stop,
        review: ReviewSampler | None = None,
        traces: BatchTraces | None = None,
    ) -> None:
        self._consumer = consumer
        self._store = store
        self._models = models
        self._limits = limits
        self._clock = clock
        self._connections = connections
        self._reporter = reporter
        self._stop = stop
        self._review = review
        self._traces = traces or BatchTraces()
        self._muted = MutedStderr()
        self._reconnecting = Backoff()
        self._next_heartbeat_s = 0.0

    def run(self) -> None:
        """Work until a stop is requested; reconnect to the broker whenever it was lost."""
        while not self._stop.requested:
            try:
                self._consumer.connect()
                self._connections.connected(Service.BROKER)
                while not self._stop.requested:
                    self._turn()
            except BrokerError as error:
                self._connections.lost(Service.BROKER, error)
                self._pause(self._reconnecting, self._stop.sleep)
        self._consumer.close()
        self._models.finish()
        self._connections.closed(Service.BROKER)
        self._reporter.report()

    def _turn(self) -> None:
        self._reporter.turned()
        self._beat()
        if not self._models.is_settled:
            self._consumer.keep_alive(_IDLE_TURN_S)
            return
        idle_s = 0.0 if self._models.has_work else _IDLE_TURN_S
        deliveries = self._consumer.receive(self._limits.max_batch, idle_s)
        if not deliveries:
            self._models.work()
        for batch in batches(deliveries):
            if not self._process(batch):
                return  # to acknowledge a later batch would acknowledge this one, too
        self._reconnecting.reset()

    def _process(self, batch: Sequence[Delivery]) -> bool:
        """Process a batch; False if a stop was requested while Redis was away."""
        watch, model = Stopwatch(), self._models.champion
        tried = self._count_attempt(batch)
        if tried is None:
            return False
        with self._muted:
            validated = (
                self._given_up(batch) if tried > MAX_ATTEMPTS else self._validate(batch, model)
            )
            watch.lap("decode")
            classified = infer(validated.readable, model)
        results = merge(validated.finished, classified)
        watch.lap("infer")
        if not self._write(results, validated.states):
            return False
        watch.lap("write")
        self._reporter.processed(results, watch.laps_s, self._clock.now_ms())
        self._reporter.camera_states(len(validated.states))
        self._consumer.ack(batch, _rejected(results))
        watch.lap("ack")
        self._traces.acknowledged(batch, results, watch.laps_s)
        crops, decided = self._models.decided(validated.readable, classified)
        if self._review is not None:
            self._review.offer(crops, decided, model.card.name)
        return True

    def _count_attempt(self, batch: Sequence[Delivery]) -> int | None:
        """How often the crop of a redelivered batch was tried; None if a stop was requested.

        Neither a crop that was returned unprocessed nor a window that was lost counts, so the
        broker's count of deliveries is no evidence. Redis keeps the count: the process may die.
        """
        _, crop_id, _ = known_ids(batch[0].message)
        if not batch[0].redelivered or crop_id is None:
            return 0
        tried = 0

        def count() -> None:
            nonlocal tried
            tried = self._store.attempt(crop_id)

        return tried if self._on_redis(count) else None

    def _given_up(self, batch: Sequence[Delivery]) -> Validated:
        return Validated(finished=[unreadable(each, Reason.TOO_MANY_ATTEMPTS) for each in batch])

    def _validate(self, batch: Sequence[Delivery], model: MaskModel) -> Validated:
        # Redis's clock: verdicts expire by it.
        return validate(
            batch,
            model.card.input,
            now_ms=self._clock.now_ms(),
            max_age_ms=self._limits.max_age_ms,
            max_skew_ms=self._limits.max_skew_ms + self._clock.uncertain_ms,
        )

    def _write(self, results: Sequence[CropResult], states: Sequence[SentState]) -> bool:
        """Write until Redis has everything; False if a stop was requested before."""
        return self._on_redis(lambda: self._write_once(results, states))

    def _on_redis(self, action: Callable[[], None]) -> bool:
        """Repeat an action until Redis answers; False if a stop was requested before."""
        backoff = Backoff()
        while not self._connections.attempt_redis(action):
            if self._stop.requested:
                return False  # not acknowledged: the broker gives the batch to another worker
            self._pause(backoff, self._consumer.keep_alive)
        return True

    def _write_once(self, results: Sequence[CropResult], states: Sequence[SentState]) -> None:
        with self._store.writing(results, states):
            self._consumer.read()  # the next crops, while Redis is working

    def _beat(self) -> None:
        if time.monotonic() >= self._next_heartbeat_s:
            self._next_heartbeat_s = time.monotonic() + _HEARTBEAT_S
            self._connections.attempt_redis(lambda: self._clock.add(self._store.heartbeat()))

    def _pause(self, backoff: Backoff, wait: Callable[[float], None]) -> None:
        """Wait before the next attempt. Reports go on, and health sees that the loop turns."""
        self._reporter.turned()
        wait(backoff.next_s())


def _rejected(results: Sequence[CropResult]) -> dict[int, Reason]:
    return {
        each.tag: each.reason
        for each in results
        if each.reason and each.outcome is Outcome.UNREADABLE
    }


def batches(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Split deliveries, in their order: each redelivered crop is a batch of its own.

    A redelivered crop may have killed the worker that held it before. Alone, its attempts are
    counted, and no other crop's.
    """
    for redelivered, group in groupby(deliveries, key=lambda delivery: delivery.redelivered):
        if redelivered:
            yield from ([delivery] for delivery in group)
        else:
            yield list(group)
