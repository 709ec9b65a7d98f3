"""Both kinds of queue behind one face, and the steps that their tests share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from demo.broker import Broker, InProcessIntake, InProcessOutlet
from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from maskgate.protocol.queue import CropIntake, CropOutlet, Delivery
from maskgate.protocol.topology import DEAD_QUEUE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitOutlet
from tests.servers.rabbit_server import RabbitServer
from worker.rabbit import RabbitIntake


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


def message(body: bytes = b"P5 1 1 255\n\0", camera: str = "lobby") -> Message:
    return to_message(
        Crop(new_crop_id(), camera, "t", 1_790_000_000_000, "image/x-portable-graymap", body)
    )


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
