"""The test bench for all measurements: a broker and a Redis of its own, and crops to fill them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from maskgate.inference.image import JPEG, PPM
from maskgate.protocol.crop import Crop, Label, Message, to_message
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.topology import (
    AUDIT_QUEUE,
    DEAD_QUEUE,
    LIVE_BINDING,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
)
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.benchmarks.crops import TRACK_LENGTH, bodies, crops
from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer, redis_server

#: There is one audit sample per this many live crops.
AUDIT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Stand:
    """The servers; only the benchmark uses them."""

    rabbit: RabbitServer
    redis: RedisServer

    def clear(self) -> None:
        """Empty the queues and Redis."""
        self.rabbit.purge()
        with self.redis.client() as client:
            client.flushall()

    def fill(self, live: Sequence[Message], audit: Sequence[Message] = ()) -> None:
        """Publish all messages and wait until the broker has confirmed them."""
        outlet = RabbitPublisher(
            parameters(self.rabbit.url, None, name="benchmark"), stop=Stop(), patient=True
        )
        for message in live:
            outlet.publish(message)
        for message in audit:
            outlet.publish(message, QueueKind.AUDIT)
        outlet.flush(60)
        wrong = (
            outlet.live.offered
            - outlet.live.accepted
            + outlet.audit.offered
            - outlet.audit.accepted
        )
        outlet.close()
        if wrong:
            msg = f"{wrong} crops were not accepted: {outlet.live.refusals} {outlet.audit.refusals}"
            raise RuntimeError(msg)

    def fill_with_crops(
        self, count: int, content_type: str, *, cameras: int = 4, track_length: int = TRACK_LENGTH
    ) -> None:
        """Publish ``count`` live crops and their share of audit samples."""
        source = crops(content_type, cameras=cameras, track_length=track_length)
        live = [to_message(next(source)) for _ in range(count)]
        labelled = (next(source) for _ in range(count // AUDIT_EVERY))
        audit = [
            Crop(
                c.crop_id,
                c.camera_id,
                c.crop_id,
                c.captured_at_ms,
                c.content_type,
                c.body,
                label=Label.MASK,
            )
            for c in labelled
        ]
        self.fill(live, [to_message(crop) for crop in audit])

    def use_queue(self, kind: str) -> None:
        """Create the live queue again, as ``quorum`` (shipped) or ``classic``."""
        with self.rabbit.channel() as channel:
            channel.queue_delete(LIVE_QUEUE)
            channel.queue_declare(LIVE_QUEUE, durable=True, arguments={"x-queue-type": kind})
            channel.queue_bind(LIVE_QUEUE, LIVE_EXCHANGE, LIVE_BINDING)


@contextmanager
def stand() -> Iterator[Stand]:
    """Start the servers; stop them on exit."""
    with rabbit_server() as rabbit, redis_server() as redis:
        yield Stand(rabbit, redis)


__all__ = [
    "AUDIT_EVERY",
    "AUDIT_QUEUE",
    "DEAD_QUEUE",
    "JPEG",
    "PPM",
    "Stand",
    "bodies",
    "crops",
    "stand",
]
