"""The loop on the in-process queue, with a store and a model that a test controls."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from structlog.testing import capture_logs

from demo.broker import Broker, InProcessConsumer, InProcessPublisher
from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from maskgate.protocol.crop import CROP_TYPE, Message, new_crop_id
from maskgate.protocol.errors import StoreError
from maskgate.protocol.topology import live_key
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from tests.servers.ports import eventually
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.operations.health import Health
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.result import CropResult
from worker.settings import SHIPPED_MODEL
from worker.store.redis_clock import ClockReading, RedisClock


class FakeStore:
    def __init__(self) -> None:
        self.written: list[CropResult] = []
        self.attempts = self.tried = 0
        self.is_away = False

    @contextmanager
    def writing(self, results: Sequence[CropResult]) -> Iterator[None]:
        yield
        self.attempts += 1
        if self.is_away:
            msg = "away"
            raise StoreError(msg)
        self.written += results

    def heartbeat(self) -> ClockReading:
        if self.is_away:
            msg = "away"
            raise StoreError(msg)
        asked_s = time.monotonic()
        return ClockReading(asked_s, now_ms(), asked_s)

    def attempt(self, _crop_id: str) -> int:
        self.heartbeat()
        self.tried += 1
        return self.tried

    def audit_counts(self) -> dict[str, dict[str, int]]:
        return {}


class FakeModel:
    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def p_mask(self, reduced: Sequence[object]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(len(reduced), 0.99)


def crop(content: bytes = b"P5 1 1 255\n\0", *, age_ms: int = 0) -> Message:
    headers = {"camera_id": "lobby", "captured_at": now_ms() - age_ms}
    return Message(
        content, "image/x-portable-graymap", CROP_TYPE, new_crop_id(), headers, live_key("lobby")
    )


class Place:
    def __init__(self, card: ModelCard) -> None:
        self.broker, self.store, self.stop = Broker(), FakeStore(), Stop()
        stats = Stats()
        connections = ConnectionState(stats.registry)
        self.worker = Worker(
            InProcessConsumer(self.broker),
            self.store,
            FakeModel(card),
            limits=Limits(max_batch=64, max_age_ms=60_000, max_skew_ms=250),
            clock=RedisClock(now_ms),
            connections=connections,
            reporter=Reporter(
                stats,
                Health(connections, stalled_after_s=30),
                connections,
                self.store,
                model="m",
                interval_s=0.05,
            ),
            stop=self.stop,
        )

    def publish(self, *messages: Message) -> None:
        for message in messages:
            InProcessPublisher(self.broker).publish(message)

    def run_until(self, condition: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self.worker.run)
        thread.start()
        try:
            eventually(condition, 10, "the condition")
        finally:
            self.stop.request()
            thread.join()


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return Model.load(SHIPPED_MODEL).card


@pytest.fixture
def place(card: ModelCard) -> Place:
    return Place(card)


def test_results_are_written_in_the_order_received_whatever_their_outcome(place: Place) -> None:
    sent = [crop(), crop(age_ms=90_000), crop(b"garbage"), crop(), crop(age_ms=-5000), crop()]
    place.publish(*sent)
    place.run_until(lambda: len(place.store.written) == len(sent))
    assert [result.crop_id for result in place.store.written] == [m.message_id for m in sent]
    assert [result.outcome for result in place.store.written] == [
        Outcome.MASK,
        Outcome.EXPIRED,
        Outcome.UNREADABLE,
        Outcome.MASK,
        Outcome.UNREADABLE,
        Outcome.MASK,
    ]
    assert [message.message_id for message in place.broker.dead] == [
        sent[2].message_id,
        sent[4].message_id,
    ]
    assert not place.broker.live


def test_while_redis_is_away_reports_go_on_and_the_crops_go_back_at_the_end(place: Place) -> None:
    sent = [crop() for _ in range(3)]
    place.publish(*sent)
    place.store.is_away = True
    with capture_logs() as lines:
        place.run_until(lambda: place.store.attempts >= 4)
    events = [line["event"] for line in lines]
    assert events.count("redis.lost") == 1
    assert events.count("worker.interval") >= 2
    assert place.store.written == []
    assert [waiting.message for waiting in place.broker.live] == sent


def test_a_batch_that_could_not_be_written_is_written_when_redis_is_back(place: Place) -> None:
    place.publish(crop())
    place.store.is_away = True

    def is_written() -> bool:
        place.store.is_away = place.store.attempts < 2
        return bool(place.store.written)

    place.run_until(is_written)
    assert len(place.store.written) == 1
    assert not place.broker.live
