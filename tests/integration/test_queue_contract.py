"""One contract for all queues: RabbitMQ, with and without pika's internals, and in-process."""

import threading
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

import worker.broker.rabbit
from maskgate.protocol.crop import parse
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import CropConsumer, CropPublisher, Delivery, QueueKind, Refusal
from tests.integration.queues import (
    Queue,
    drain,
    in_process_queue,
    message,
    publish,
    rabbit_queue,
    receive,
)
from tests.servers.ports import eventually

#: A connection that pika lost track of is left to the garbage collector, which tells.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(params=["rabbitmq", "rabbitmq by pika's callbacks", "in-process"])
def queue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Queue:
    if request.param == "in-process":
        return in_process_queue()
    if request.param != "rabbitmq":
        monkeypatch.setattr(worker.broker.rabbit, "attach", lambda *_: None)
    return rabbit_queue(request.getfixturevalue("rabbit"))


@pytest.fixture
def publisher(queue: Queue) -> Iterator[CropPublisher]:
    publisher = queue.publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def consumer(queue: Queue) -> Iterator[CropConsumer]:
    consumer = queue.consumer()
    consumer.connect()
    yield consumer
    consumer.close()


def test_what_is_published_arrives_once_in_order_and_whole(
    publisher: CropPublisher, consumer: CropConsumer
) -> None:
    sent = publish(publisher, 40)
    got = drain(consumer, 40)
    assert [d.message.message_id for d in got] == [m.message_id for m in sent]
    assert [d.message.body for d in got] == [m.body for m in sent]
    assert {d.message.routing_key for d in got} == {"live.lobby"}
    assert parse(got[0].message, audit=False).captured_at_ms == 1_790_000_000_000
    assert (publisher.live.offered, publisher.live.accepted, publisher.live.in_doubt) == (40, 40, 0)
    assert consumer.receive(1, 0.1) == []


def test_a_crop_does_not_wait_for_the_next_ones_of_a_slow_camera(
    queue: Queue, publisher: CropPublisher
) -> None:
    def published_one_more() -> bool:
        # No rest in between: a source that needs all the time to make its crops.
        publisher.publish(message())
        return queue.waiting() > 0

    eventually(published_one_more, 3, "a crop in the queue")


def test_audit_samples_are_of_the_audit_queue(
    publisher: CropPublisher, consumer: CropConsumer
) -> None:
    publish(publisher, 2, QueueKind.AUDIT)
    got = drain(consumer, 2)
    assert [d.queue for d in got] == [QueueKind.AUDIT] * 2
    assert {d.message.routing_key for d in got} == {"audit"}
    assert publisher.audit.accepted == 2
    assert publisher.live.offered == 0


def test_a_key_of_no_camera_is_unroutable(publisher: CropPublisher, queue: Queue) -> None:
    for key in ("live", "live.a.b", "other", ""):
        publisher.publish(msgspec.structs.replace(message(), routing_key=key))
    publisher.flush(10)
    assert publisher.live.refusals == {Refusal.UNROUTABLE: 4}
    assert queue.waiting() == 0


def test_a_worker_holds_one_crop_at_first_and_twice_as_many_after_each_full_batch(
    publisher: CropPublisher, consumer: CropConsumer
) -> None:
    publish(publisher, 60)
    for window in (1, 2, 4, 8, 16, 16):
        batch = receive(consumer, window)  # however long a busy broker takes for it
        assert len(batch) == window
        assert consumer.receive(64, 0.3) == []
        consumer.ack(batch, {})


def test_a_rejected_crop_is_dead_and_the_others_are_done(
    queue: Queue, publisher: CropPublisher, consumer: CropConsumer
) -> None:
    publish(publisher, 3)
    first = receive(consumer, 1)
    consumer.ack(first, {})
    rest = receive(consumer, 2)
    consumer.ack(rest, {rest[1].tag: Reason.BAD_IMAGE})
    eventually(lambda: queue.dead() == 1, what="the dead letter")
    consumer.close()
    assert queue.waiting() == 0


def test_a_batch_may_be_rejected_whole(
    queue: Queue, publisher: CropPublisher, consumer: CropConsumer
) -> None:
    publish(publisher, 1)
    batch = receive(consumer, 1)
    consumer.ack(batch, {batch[0].tag: Reason.BAD_IMAGE})
    eventually(lambda: queue.dead() == 1, what="the dead letter")


def test_what_is_not_acknowledged_comes_back_when_the_worker_closes(
    queue: Queue, publisher: CropPublisher, consumer: CropConsumer
) -> None:
    sent = publish(publisher, 5)
    batch = receive(consumer, 1)
    consumer.ack(batch, {})
    assert len(receive(consumer, 2)) == 2
    consumer.close()
    eventually(lambda: queue.waiting() == 4, what="all four waiting again")
    again = queue.consumer()
    again.connect()
    assert {d.message.message_id for d in drain(again, 4)} == {m.message_id for m in sent[1:]}
    again.close()


def test_a_reconnect_starts_slowly_again(publisher: CropPublisher, consumer: CropConsumer) -> None:
    publish(publisher, 20)
    for _ in range(3):
        consumer.ack(receive(consumer, 1), {})
    consumer.connect()
    batch = receive(consumer, 1)
    assert batch
    assert consumer.receive(16, 0.3) == []


def test_the_wait_for_a_crop_lasts_also_after_the_window_has_grown(
    queue: Queue, publisher: CropPublisher, consumer: CropConsumer
) -> None:
    publish(publisher, 1)
    consumer.ack(receive(consumer, 1), {})
    another = queue.publisher()
    later = threading.Timer(0.3, publish, (another, 1))
    later.start()
    batch = consumer.receive(16, 10)
    later.join()
    another.close()
    assert len(batch) == 1


def test_what_a_lost_worker_held_comes_back_marked_and_one_at_a_time(
    queue: Queue, publisher: CropPublisher
) -> None:
    sent = publish(publisher, 20)
    lost = queue.consumer()
    lost.connect()
    for _ in range(3):
        lost.ack(receive(lost, 1), {})
    assert len(receive(lost, 2)) == 2
    queue.lose(lost)
    seen: list[Delivery] = []
    with closing(lost), closing(queue.consumer()) as after:
        after.connect()
        while len(seen) < len(sent) - 3:
            batch = after.receive(16, 5)
            assert batch, "no more came"
            assert len(batch) == 1 or not any(delivery.redelivered for delivery in batch)
            after.ack(batch, {})
            seen += batch
    marked = {delivery.message.message_id for delivery in seen if delivery.redelivered}
    assert marked >= {message.message_id for message in sent[3:5]}
    assert {delivery.message.message_id for delivery in seen} == {
        message.message_id for message in sent[3:]
    }
