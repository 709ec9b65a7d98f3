"""The same contract for RabbitMQ, read the short way and by pika's callbacks, and for the in-process queue."""

from collections.abc import Iterator

import pytest

import worker.rabbit
from maskgate.protocol.crop import parse
from maskgate.protocol.queue import CropIntake, CropOutlet, Delivery, QueueKind
from tests.integration.queues import (
    Queue,
    drain,
    in_process_queue,
    message,
    offer,
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
        monkeypatch.setattr(worker.rabbit, "attach", lambda *_: None)
    return rabbit_queue(request.getfixturevalue("rabbit"))


@pytest.fixture
def outlet(queue: Queue) -> Iterator[CropOutlet]:
    outlet = queue.outlet()
    yield outlet
    outlet.close()


@pytest.fixture
def intake(queue: Queue) -> Iterator[CropIntake]:
    intake = queue.intake()
    intake.connect()
    yield intake
    intake.close()


def test_what_is_offered_arrives_once_in_order_and_whole(
    outlet: CropOutlet, intake: CropIntake
) -> None:
    sent = offer(outlet, 40)
    got = drain(intake, 40)
    assert [d.message.message_id for d in got] == [m.message_id for m in sent]
    assert [d.message.body for d in got] == [m.body for m in sent]
    assert parse(got[0].message, audit=False).captured_at_ms == 1_790_000_000_000
    assert (outlet.live.offered, outlet.live.accepted, outlet.live.in_doubt) == (40, 40, 0)
    assert intake.receive(1, 0.1) == []


def test_a_crop_does_not_wait_for_the_next_ones_of_a_slow_camera(
    queue: Queue, outlet: CropOutlet
) -> None:
    def offered_one_more() -> bool:
        outlet.offer(message())  # and no rest between: whatever makes the crops takes all the time
        return queue.waiting() > 0

    eventually(offered_one_more, 3, "a crop in the queue")


def test_audit_samples_are_told_apart(outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 2, audit=True)
    assert [d.queue for d in drain(intake, 2)] == [QueueKind.AUDIT] * 2
    assert outlet.audit.accepted == 2
    assert outlet.live.offered == 0


def test_a_worker_holds_one_crop_at_first_and_twice_as_many_after_each_full_batch(
    outlet: CropOutlet, intake: CropIntake
) -> None:
    offer(outlet, 60)
    for window in (1, 2, 4, 8, 16, 16):
        batch = receive(intake, window)  # however long a busy broker takes for it
        assert len(batch) == window
        assert intake.receive(64, 0.3) == []
        intake.settle(batch, ())


def test_a_rejected_crop_is_dead_and_the_others_are_done(
    queue: Queue, outlet: CropOutlet, intake: CropIntake
) -> None:
    offer(outlet, 3)
    first = receive(intake, 1)
    intake.settle(first, ())
    rest = receive(intake, 2)
    intake.settle(rest, {rest[1].tag})
    eventually(lambda: queue.dead() == 1, what="the dead letter")
    intake.close()
    assert queue.waiting() == 0


def test_a_batch_may_be_rejected_whole(
    queue: Queue, outlet: CropOutlet, intake: CropIntake
) -> None:
    offer(outlet, 1)
    batch = receive(intake, 1)
    intake.settle(batch, {batch[0].tag})
    eventually(lambda: queue.dead() == 1, what="the dead letter")


def test_what_is_not_settled_comes_back_when_the_worker_closes(
    queue: Queue, outlet: CropOutlet, intake: CropIntake
) -> None:
    sent = offer(outlet, 5)
    batch = receive(intake, 1)
    intake.settle(batch, ())
    assert len(receive(intake, 2)) == 2
    intake.close()
    eventually(lambda: queue.waiting() == 4, what="all four waiting again")
    again = queue.intake()
    again.connect()
    assert {d.message.message_id for d in drain(again, 4)} == {m.message_id for m in sent[1:]}
    again.close()


def test_a_reconnect_starts_slowly_again(outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 20)
    for _ in range(3):
        intake.settle(receive(intake, 1), ())
    intake.connect()
    batch = receive(intake, 1)
    assert batch
    assert intake.receive(16, 0.3) == []


def test_what_a_lost_worker_held_comes_back_marked_and_one_at_a_time(
    queue: Queue, outlet: CropOutlet
) -> None:
    sent = offer(outlet, 20)
    lost = queue.intake()
    lost.connect()
    for _ in range(3):
        lost.settle(receive(lost, 1), ())
    assert len(receive(lost, 2)) == 2
    queue.lose(lost)
    after = queue.intake()
    after.connect()
    seen: list[Delivery] = []
    while len(seen) < len(sent) - 3:
        batch = after.receive(16, 5)
        assert batch, "no more came"
        assert len(batch) == 1 or not any(delivery.redelivered for delivery in batch)
        after.settle(batch, ())
        seen += batch
    after.close()
    lost.close()
    marked = {delivery.message.message_id for delivery in seen if delivery.redelivered}
    assert marked >= {message.message_id for message in sent[3:5]}
    assert {delivery.message.message_id for delivery in seen} == {
        message.message_id for message in sent[3:]
    }
