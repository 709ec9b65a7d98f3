"""What only RabbitMQ does: cancelled consumers, refused crops, connections that pika loses."""

import time
from collections.abc import Callable, Iterator

import pika.adapters.utils.io_services_utils
import pytest
from structlog.testing import capture_logs

from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import LIVE_QUEUE
from maskgate.runtime import pika_internals
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.integration.queues import publish, rabbit_queue, receive
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from worker.broker.rabbit import RabbitConsumer

#: A connection that pika lost track of is left to the garbage collector, which tells.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_the_installed_pika_has_the_private_names(rabbit: RabbitServer) -> None:
    with rabbit.channel() as channel:
        assert pika_internals.attach(channel.connection, channel.channel_number) is not None


def test_a_batch_is_not_cut_where_one_poll_ends(
    rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pika_internals, "_READ_BYTES", 256)
    monkeypatch.setattr(
        pika.adapters.utils.io_services_utils._AsyncPlaintextTransport, "_MAX_CONSUME_BYTES", 1024
    )
    queue = rabbit_queue(rabbit)
    publisher, consumer = queue.publisher(), queue.consumer()
    consumer.connect()
    publish(publisher, 15)
    for window in (1, 2, 4, 8):  # until 16 may be held
        consumer.ack(receive(consumer, window), {})

    def one_batch() -> bool:
        publish(publisher, 16)
        eventually(lambda: queue.waiting() == 0, what="all of them on their way")
        batch = consumer.receive(16, 1)
        consumer.ack(batch + receive(consumer, 16 - len(batch)), {})
        return len(batch) == 16

    eventually(
        one_batch, what="a batch of more than one poll"
    )  # a busy broker may be late with some of it
    publisher.close()
    consumer.close()


def test_a_deleted_queue_is_an_error_not_silence(rabbit: RabbitServer) -> None:
    consumer = rabbit_queue(rabbit).consumer()
    consumer.connect()
    definitions = rabbit.folder / "definitions.json"
    with rabbit.channel() as channel:
        channel.queue_delete(LIVE_QUEUE)
    with pytest.raises(BrokerError, match=LIVE_QUEUE):
        receive(consumer, 1)
    consumer.close()
    rabbit.ctl("import_definitions", str(definitions))
    eventually(rabbit.ready, what="the queue being there again")


def test_a_full_queue_refuses_and_the_refusals_are_counted(rabbit: RabbitServer) -> None:
    policy = '{"max-length":5,"overflow":"reject-publish"}'
    rabbit.ctl(
        "set_policy", "--apply-to", "queues", "--priority", "9", "small", "^crops.live$", policy
    )
    try:
        time_limit_s = time.monotonic() + 10
        publisher = rabbit_queue(rabbit).publisher()
        while not publisher.live.refused and time.monotonic() < time_limit_s:
            publish(publisher, 10)
        publisher.close()
        assert publisher.live.refusals.keys() == {"queue_full"}
        assert publisher.live.offered == publisher.live.accepted + publisher.live.refused
        assert publisher.live.accepted == rabbit.depth(LIVE_QUEUE)
    finally:
        rabbit.ctl("clear_policy", "small")


@pytest.fixture
def alarm(rabbit: RabbitServer) -> Iterator[Callable[[], object]]:
    """A broker with a memory alarm; the value ends it."""
    usual = rabbit.ctl("eval", "vm_memory_monitor:get_vm_memory_high_watermark().").strip()

    def over() -> None:
        rabbit.ctl("set_vm_memory_high_watermark", usual)

    rabbit.ctl("set_vm_memory_high_watermark", "0.000001")
    yield over
    over()


def test_a_camera_does_not_wait_for_a_broker_with_a_memory_alarm(
    rabbit: RabbitServer, alarm: Callable[[], object]
) -> None:
    publisher = RabbitPublisher(parameters(rabbit.url, None, name="test"), stop=Stop(), window=8)
    publisher.wait_for_broker(10)
    begun_s = time.monotonic()

    def refuses() -> int:
        publish(publisher, 1, flush_s=0.02)
        return publisher.live.refused

    eventually(refuses, 10, "the first refusal")
    publish(publisher, 300, flush_s=0)
    assert time.monotonic() - begun_s < 25, "less than the 30 s that one crop used to wait"
    assert publisher.live.refusals.keys() == {"no_broker"}
    assert publisher.live.refused >= 300
    alarm()

    def accepts() -> bool:
        before = publisher.live.accepted
        publish(publisher, 1, flush_s=1)
        return publisher.live.accepted > before and not publisher.live.in_doubt

    eventually(accepts, 20, "an accepted crop after the alarm")
    publisher.close()


def test_what_pika_raises_inside_its_loop_is_a_lost_connection(
    rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Happens when the broker resets a connection that was just made: pika calls no callback.
    connector = pika.adapters.utils.io_services_utils._AsyncStreamConnector
    begin, failures = connector.__init__, iter(range(2))

    def fails_at_first(self: object, **arguments: object) -> None:
        if next(failures, None) is not None:
            msg = "Expected connected socket, but getpeername() failed"
            raise ValueError(msg)
        begin(self, **arguments)

    monkeypatch.setattr(connector, "__init__", fails_at_first)
    publisher = rabbit_queue(rabbit).publisher()
    publish(publisher, 3)
    publisher.close()
    assert publisher.live.accepted == 3


def test_whoever_finds_no_broker_says_why() -> None:
    nowhere = parameters("amqp://127.0.0.1:1", None, name="test")
    with pytest.raises(BrokerError, match="Connection refused"):
        RabbitConsumer(nowhere, prefetch=1).connect()
    publisher = RabbitPublisher(nowhere, stop=Stop())

    def lost() -> list[str]:
        publisher.rest(0.05)
        return [entry["error"] for entry in reported if entry["event"] == "broker.lost"]

    with capture_logs() as reported:
        assert "Connection refused" in eventually(lost, what="the line in the log")[0]
    publisher.close()


def test_an_unroutable_crop_is_counted_as_such(rabbit: RabbitServer) -> None:
    with rabbit.channel() as channel:
        channel.queue_unbind(LIVE_QUEUE, "crops", "live.*")
    try:
        publisher = rabbit_queue(rabbit).publisher()
        publish(publisher, 3)
        publisher.close()
        assert publisher.live.refusals == {"unroutable": 3}
    finally:
        with rabbit.channel() as channel:
            channel.queue_bind(LIVE_QUEUE, "crops", "live.*")
