"""The same contract for RabbitMQ, read the short way and by pika's callbacks, and for the in-process queue."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import pika.adapters.utils.io_services_utils
import pytest
from structlog.testing import capture_logs

import worker.delivery_frames
import worker.rabbit
from contract.broker import parameters
from contract.crop import Crop, Message, new_crop_id, parse, to_message
from contract.errors import BrokerError
from contract.queue import CropIntake, CropOutlet, Delivery
from contract.stop import Stop
from contract.topology import DEAD_QUEUE, LIVE_QUEUE
from deploy.inprocess import Broker, InProcessIntake, InProcessOutlet
from producer.rabbit import RabbitOutlet
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from worker.delivery_frames import attach
from worker.rabbit import RabbitIntake

#: A connection that pika lost track of is left to the garbage collector, which tells.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class Queue:
    intake: Callable[[], CropIntake]
    outlet: Callable[[], CropOutlet]
    waiting: Callable[[], int]
    dead: Callable[[], int]
    lose: Callable[[CropIntake], object]


def rabbit_queue(server: RabbitServer) -> Queue:
    wanted = parameters(server.url, None, name="test")
    return Queue(
        intake=lambda: RabbitIntake(wanted, prefetch=16),
        outlet=lambda: RabbitOutlet(wanted, stop=Stop(), patient=True),
        waiting=lambda: server.depth(LIVE_QUEUE),
        dead=lambda: server.depth(DEAD_QUEUE),
        lose=lambda _: server.ctl("close_all_connections", "a test's"),
    )


def in_process_queue() -> Queue:
    broker = Broker()
    return Queue(
        intake=lambda: InProcessIntake(broker, prefetch=16),
        outlet=lambda: InProcessOutlet(broker),
        waiting=lambda: len(broker.live),
        dead=lambda: len(broker.dead),
        lose=lambda intake: cast("InProcessIntake", intake).lose(),
    )


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


def message(body: bytes = b"P5 1 1 255\n\0", camera: str = "lobby") -> Message:
    return to_message(Crop(new_crop_id(), camera, "t", 1_790_000_000_000, "image/x-portable-graymap", body))


def offer(outlet: CropOutlet, count: int, *, audit: bool = False) -> list[Message]:
    messages = [message() for _ in range(count)]
    for each in messages:
        outlet.offer(each, audit=audit)
    outlet.flush(10)
    return messages


def receive(intake: CropIntake, count: int) -> list[Delivery]:
    """At least so many, over as many turns as it takes, without settling any."""
    taken: list[Delivery] = []
    deadline_s = time.monotonic() + 10
    while len(taken) < count and time.monotonic() < deadline_s:
        taken += intake.receive(count - len(taken), 0.1)
    return taken


def drain(intake: CropIntake, count: int) -> list[Delivery]:
    """So many, settled batch by batch."""
    taken: list[Delivery] = []
    deadline_s = time.monotonic() + 10
    while len(taken) < count and time.monotonic() < deadline_s:
        batch = intake.receive(16, 0.1)
        if batch:
            intake.settle(batch, ())
        taken += batch
    return taken


def test_the_installed_pika_lets_us_stand_before_its_reader(rabbit: RabbitServer) -> None:
    with rabbit.channel() as channel:
        assert attach(channel.connection, channel.channel_number) is not None


def test_what_is_offered_arrives_once_in_order_and_whole(outlet: CropOutlet, intake: CropIntake) -> None:
    sent = offer(outlet, 40)
    got = drain(intake, 40)
    assert [d.message.message_id for d in got] == [m.message_id for m in sent]
    assert [d.message.body for d in got] == [m.body for m in sent]
    assert parse(got[0].message, audit=False).captured_at_ms == 1_790_000_000_000
    assert (outlet.live.offered, outlet.live.accepted, outlet.live.in_doubt) == (40, 40, 0)
    assert intake.receive(1, 0.1) == []


def test_a_crop_does_not_wait_for_the_next_ones_of_a_slow_camera(queue: Queue, outlet: CropOutlet) -> None:
    def offered_one_more() -> bool:
        outlet.offer(message())  # and no rest between: whatever makes the crops takes all the time
        return queue.waiting() > 0

    eventually(offered_one_more, 3, "a crop in the queue")


def test_audit_samples_are_told_apart(outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 2, audit=True)
    assert [d.audit for d in drain(intake, 2)] == [True, True]
    assert outlet.audit.accepted == 2
    assert outlet.live.offered == 0


def test_a_worker_holds_one_crop_at_first_and_twice_as_many_after_each_full_batch(outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 60)
    for window in (1, 2, 4, 8, 16, 16):
        batch = receive(intake, window)  # however long a busy broker takes for it
        assert len(batch) == window
        assert intake.receive(64, 0.3) == []
        intake.settle(batch, ())


def test_rabbitmq_a_batch_is_not_cut_where_one_poll_ends(rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.delivery_frames, "_READ_BYTES", 256)
    monkeypatch.setattr(pika.adapters.utils.io_services_utils._AsyncPlaintextTransport, "_MAX_CONSUME_BYTES", 1024)  # noqa: SLF001
    queue = rabbit_queue(rabbit)
    outlet, intake = queue.outlet(), queue.intake()
    intake.connect()
    offer(outlet, 31)
    drain(intake, 31)  # until 16 may be held
    offer(outlet, 16)
    eventually(lambda: queue.waiting() == 0, 5, "all of them on their way")
    assert len(intake.receive(16, 1)) == 16
    outlet.close()
    intake.close()


def test_a_rejected_crop_is_dead_and_the_others_are_done(queue: Queue, outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 3)
    first = receive(intake, 1)
    intake.settle(first, ())
    rest = receive(intake, 2)
    intake.settle(rest, {rest[1].tag})
    eventually(lambda: queue.dead() == 1, what="the dead letter")
    intake.close()
    assert queue.waiting() == 0


def test_a_batch_may_be_rejected_whole(queue: Queue, outlet: CropOutlet, intake: CropIntake) -> None:
    offer(outlet, 1)
    batch = receive(intake, 1)
    intake.settle(batch, {batch[0].tag})
    eventually(lambda: queue.dead() == 1, what="the dead letter")


def test_what_is_not_settled_comes_back_when_the_worker_closes(queue: Queue, outlet: CropOutlet, intake: CropIntake) -> None:
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


def test_what_a_lost_worker_held_comes_back_marked_and_one_at_a_time(queue: Queue, outlet: CropOutlet) -> None:
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
    assert {delivery.message.message_id for delivery in seen} == {message.message_id for message in sent[3:]}


def test_rabbitmq_a_deleted_queue_is_an_error_not_silence(rabbit: RabbitServer) -> None:
    intake = rabbit_queue(rabbit).intake()
    intake.connect()
    definitions = rabbit.folder / "definitions.json"
    with rabbit.channel() as channel:
        channel.queue_delete(LIVE_QUEUE)
    with pytest.raises(BrokerError, match=LIVE_QUEUE):
        receive(intake, 1)
    intake.close()
    rabbit.ctl("import_definitions", str(definitions))
    eventually(rabbit.ready, what="the queue being there again")


def test_rabbitmq_a_full_queue_refuses_and_the_refusals_are_counted(rabbit: RabbitServer) -> None:
    policy = '{"max-length":5,"overflow":"reject-publish","dead-letter-exchange":"crops.dead"}'
    rabbit.ctl("set_policy", "--apply-to", "queues", "--priority", "9", "small", "^crops.live$", policy)
    try:
        time_limit_s = time.monotonic() + 10
        outlet = rabbit_queue(rabbit).outlet()
        while not outlet.live.refused and time.monotonic() < time_limit_s:
            offer(outlet, 10)
        outlet.close()
        assert outlet.live.refusals.keys() == {"queue_full"}
        assert outlet.live.offered == outlet.live.accepted + outlet.live.refused
        assert outlet.live.accepted == rabbit.depth(LIVE_QUEUE)
    finally:
        rabbit.ctl("clear_policy", "small")


def test_rabbitmq_what_pika_raises_inside_its_loop_is_a_lost_connection(rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Seen when the broker resets a connection that was just made: nothing that pika would call us back for.
    connector = pika.adapters.utils.io_services_utils._AsyncStreamConnector  # noqa: SLF001  (where it raised)
    begin, failures = connector.__init__, iter(range(2))

    def fails_at_first(self: object, **arguments: object) -> None:
        if next(failures, None) is not None:
            msg = "Expected connected socket, but getpeername() failed"
            raise ValueError(msg)
        begin(self, **arguments)

    monkeypatch.setattr(connector, "__init__", fails_at_first)
    outlet = rabbit_queue(rabbit).outlet()
    offer(outlet, 3)
    outlet.close()
    assert outlet.live.accepted == 3


def test_rabbitmq_whoever_finds_no_broker_says_why() -> None:
    nowhere = parameters("amqp://127.0.0.1:1", None, name="test")
    with pytest.raises(BrokerError, match="Connection refused"):
        RabbitIntake(nowhere, prefetch=1).connect()
    outlet = RabbitOutlet(nowhere, stop=Stop())

    def lost() -> list[str]:
        outlet.rest(0.05)
        return [entry["error"] for entry in told if entry["event"] == "broker.lost"]

    with capture_logs() as told:
        assert "Connection refused" in eventually(lost, what="the line in the log")[0]
    outlet.close()


def test_rabbitmq_an_unroutable_crop_is_counted_as_such(rabbit: RabbitServer) -> None:
    with rabbit.channel() as channel:
        channel.queue_unbind(LIVE_QUEUE, "crops", "live")
    try:
        outlet = rabbit_queue(rabbit).outlet()
        offer(outlet, 3)
        outlet.close()
        assert outlet.live.refusals == {"unroutable": 3}
    finally:
        with rabbit.channel() as channel:
            channel.queue_bind(LIVE_QUEUE, "crops", "live")
