"""Both implementations of the queue behind one interface, and the steps that their tests share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from demo.broker import Broker, InProcessConsumer, InProcessPublisher
from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from maskgate.protocol.queue import CropConsumer, CropPublisher, Delivery, QueueKind
from maskgate.protocol.topology import DEAD_QUEUE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.servers.rabbit_server import RabbitServer
from worker.broker.rabbit import RabbitConsumer


@dataclass
class Queue:
    consumer: Callable[[], CropConsumer]
    publisher: Callable[[], CropPublisher]
    waiting: Callable[[], int]
    dead: Callable[[], int]
    lose: Callable[[CropConsumer], object]


def rabbit_queue(server: RabbitServer) -> Queue:
    wanted = parameters(server.url, None, name="test")
    return Queue(
        consumer=lambda: RabbitConsumer(wanted, prefetch=16),
        publisher=lambda: RabbitPublisher(wanted, stop=Stop(), patient=True),
        waiting=lambda: server.depth(LIVE_QUEUE),
        dead=lambda: server.depth(DEAD_QUEUE),
        lose=lambda _: server.ctl("close_all_connections", "a test's"),
    )


def in_process_queue() -> Queue:
    broker = Broker()
    return Queue(
        consumer=lambda: InProcessConsumer(broker, prefetch=16),
        publisher=lambda: InProcessPublisher(broker),
        waiting=lambda: len(broker.live),
        dead=lambda: len(broker.dead),
        lose=lambda consumer: cast("InProcessConsumer", consumer).lose(),
    )


def message(body: bytes = b"P5 1 1 255\n\0", camera: str = "lobby") -> Message:
    return to_message(
        Crop(new_crop_id(), camera, "t", 1_790_000_000_000, "image/x-portable-graymap", body)
    )


def publish(
    publisher: CropPublisher,
    count: int,
    queue: QueueKind = QueueKind.LIVE,
    *,
    flush_s: float = 10,
) -> list[Message]:
    messages = [message() for _ in range(count)]
    for each in messages:
        publisher.publish(each, queue)
    publisher.flush(flush_s)
    return messages


def receive(consumer: CropConsumer, count: int) -> list[Delivery]:
    """At least so many, over as many turns as it takes, without acknowledging any."""
    taken: list[Delivery] = []
    deadline_s = time.monotonic() + 10
    while len(taken) < count and time.monotonic() < deadline_s:
        taken += consumer.receive(count - len(taken), 0.1)
    return taken


def drain(consumer: CropConsumer, count: int) -> list[Delivery]:
    """So many, acknowledged batch by batch."""
    taken: list[Delivery] = []
    deadline_s = time.monotonic() + 10
    while len(taken) < count and time.monotonic() < deadline_s:
        batch = consumer.receive(16, 0.1)
        if batch:
            consumer.ack(batch, {})
        taken += batch
    return taken
