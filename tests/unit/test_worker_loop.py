"""The loop on the in-process queue, with a store and a model that a test controls."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from demo.broker import Broker, InProcessConsumer, InProcessPublisher
from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from maskgate.protocol.camera_state import CameraCondition, CameraState, SentState, to_message
from maskgate.protocol.crop import CROP_TYPE, Message, new_crop_id
from maskgate.protocol.errors import Reason, StoreError
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import live_key
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from tests.servers.ports import eventually
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.models.served import Batch, OneModel
from worker.operations.health import Health
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.result import CropResult
from worker.settings import SHIPPED_MODEL
from worker.store.redis_clock import ClockReading, RedisClock
from worker.validate import ReadableCrop


class FakeStore:
    def __init__(self) -> None:
        self.written: list[CropResult] = []
        self.states: list[SentState] = []
        self.attempts = self.tried = 0
        self.is_away = False

    @contextmanager
    def writing(
        self, results: Sequence[CropResult], states: Sequence[SentState] = ()
    ) -> Iterator[None]:
        yield
        self.attempts += 1
        if self.is_away:
            msg = "away"
            raise StoreError(msg)
        self.written += results
        self.states += states

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
            OneModel(FakeModel(card)),
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


def state(sent_at_ms: int = 0, *, condition: CameraCondition = CameraCondition.UP) -> Message:
    sent_at_ms = sent_at_ms or now_ms()
    return to_message(
        "lobby", CameraState(state=condition, since_ms=sent_at_ms, sent_at_ms=sent_at_ms)
    )


def test_camera_states_are_written_and_acknowledged_but_are_no_crops(place: Place) -> None:
    sent = [state(), crop(), state(condition=CameraCondition.DARK), crop()]
    place.publish(*sent)
    with capture_logs() as lines:
        place.run_until(lambda: len(place.store.states) == 2 and len(place.store.written) == 2)
    assert [each.state.state for each in place.store.states] == ["up", "dark"]
    assert [result.crop_id for result in place.store.written] == [
        sent[1].message_id,
        sent[3].message_id,
    ]
    assert not place.broker.live
    assert not place.broker.dead
    work = [line for line in lines if line["event"] == "worker.interval"]
    assert sum(line["crops"] for line in work) == sum(line["camera_states"] for line in work) == 2


def test_a_batch_of_camera_states_alone_is_no_batch_of_crops(place: Place) -> None:
    place.publish(state())
    with capture_logs() as lines:
        place.run_until(lambda: bool(place.store.states))
    work = [line for line in lines if line["event"] == "worker.interval"]
    assert sum(line["batches"] for line in work) == 0
    assert sum(line["camera_states"] for line in work) == 1


def test_a_bad_camera_state_is_a_dead_letter_like_any_unreadable_message(place: Place) -> None:
    bad = [
        msgspec.structs.replace(state(), body=b"{"),
        state(now_ms() + 60_000),
        msgspec.structs.replace(state(), routing_key="live.a:b"),
    ]
    place.publish(*bad)
    place.run_until(lambda: len(place.broker.dead) == 3)
    assert [(each.outcome, each.reason, each.camera_id) for each in place.store.written] == [
        (Outcome.UNREADABLE, Reason.BAD_STATE, "lobby"),
        (Outcome.UNREADABLE, Reason.SENT_IN_FUTURE, "lobby"),
        (Outcome.UNREADABLE, Reason.BAD_CAMERA_ID, None),
    ]
    assert place.store.states == []


def test_a_camera_state_in_the_audit_queue_is_unreadable(place: Place) -> None:
    InProcessPublisher(place.broker).publish(state(), QueueKind.AUDIT)
    place.run_until(lambda: bool(place.store.written))
    assert place.store.written[0].reason is Reason.WRONG_TYPE


def test_a_camera_state_that_was_not_written_is_written_when_redis_is_back(place: Place) -> None:
    place.publish(state())
    place.store.is_away = True

    def is_written() -> bool:
        place.store.is_away = place.store.attempts < 2
        return bool(place.store.states)

    place.run_until(is_written)
    assert len(place.store.states) == 1
    assert not place.broker.live


class Recorder(OneModel):
    """Records what the loop asks of its models, and when it acknowledges."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker._models.champion)
        self.asked, self._ack = list[str](), worker._consumer.ack
        worker._models, worker._consumer.ack = self, self.ack  # type: ignore[method-assign]

    def ack(self, batch: Sequence[Delivery], rejected: Mapping[int, Reason]) -> None:
        self.asked.append("ack")
        self._ack(batch, rejected)

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> Batch:
        self.asked.append("decided")
        self.has_work = True
        return crops, results

    def work(self) -> None:
        if self.has_work:
            self.asked.append("work")
        self.has_work = False

    def finish(self) -> None:
        self.asked.append("finish")


def test_the_challenger_is_asked_after_the_acknowledgement_and_when_no_crop_waits(
    place: Place,
) -> None:
    models = Recorder(place.worker)
    place.publish(crop(), crop(), crop())
    place.run_until(lambda: "work" in models.asked)
    assert len(place.store.written) == 3
    batches = models.asked.count("ack")
    assert models.asked == [*["ack", "decided"] * batches, "work", "finish"]


def test_no_crop_is_taken_before_it_is_known_who_is_champion(place: Place) -> None:
    models = Recorder(place.worker)
    models.is_settled = False
    place.store.is_away = True
    place.publish(crop())
    beats: list[float] = []
    real = place.store.heartbeat

    def heartbeat() -> ClockReading:
        beats.append(time.monotonic())
        assert place.broker.live or models.is_settled, "a crop was decided"
        if len(beats) == 2:
            place.store.is_away, models.is_settled = False, True
        return real()

    place.store.heartbeat = heartbeat  # type: ignore[method-assign]
    place.run_until(lambda: bool(place.store.written))
    assert len(beats) >= 2
    assert len(place.store.written) == 1
