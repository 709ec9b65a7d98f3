"""One queue's consumer on a channel: its prefetch, and how its deliveries arrive."""

from collections.abc import Callable
from typing import Any

from maskgate.protocol.crop import Message
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import AUDIT_QUEUE, LIVE_QUEUE
from maskgate.runtime.pika_internals import DeliveryFrames
from maskgate.runtime.slow_start import SlowStart

_QUEUES = {QueueKind.LIVE: LIVE_QUEUE, QueueKind.AUDIT: AUDIT_QUEUE}


class Subscription:
    """Counts the queue's unacknowledged deliveries, from which the prefetch grows.

    ``deliver`` is called for each delivery, in the order of arrival.
    """

    def __init__(
        self, kind: QueueKind, *, max_prefetch: int, deliver: Callable[[Delivery], None]
    ) -> None:
        self.queue = _QUEUES[kind]
        self.tag = ""
        self._kind = kind
        self._deliver = deliver
        self._slow_start = SlowStart(max_prefetch)
        self._unacked = self._redelivered = 0
        self._starts = 0

    def start(self, channel: Any, frames: DeliveryFrames | None) -> None:
        """Consume with the present prefetch; through ``frames``, or else pika's callbacks."""
        self._starts += 1
        self.tag = f"{self.queue}.{self._starts}"
        if frames:
            # Before the first delivery can arrive: through pika's callback it would be late.
            frames.consumers[self.tag.encode()] = self._received
        # Quorum queues have no prefetch per channel, only per consumer, and a consumer keeps the
        # prefetch it was started with.
        channel.basic_qos(prefetch_count=self._slow_start.window)
        channel.basic_consume(self.queue, self._on_message, consumer_tag=self.tag)

    def grow(self) -> bool:
        """Double the prefetch if it was used up; then the consumer must be started again."""
        return self._slow_start.grow(self._unacked, self._redelivered)

    def acked(self, delivery: Delivery) -> None:
        """Record that a delivery was acknowledged or rejected."""
        self._unacked -= 1
        self._redelivered -= delivery.redelivered

    def _on_message(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:
        message = Message(
            body,
            properties.content_type,
            properties.type,
            properties.message_id,
            properties.headers or {},
            _text(method.routing_key),
        )
        self._received(method.delivery_tag, method.redelivered, message)

    def _received(
        self,
        tag: int,
        redelivered: bool,  # noqa: FBT001  (called by position for each crop)
        message: Message,
    ) -> None:
        self._unacked += 1
        self._redelivered += redelivered
        self._deliver(Delivery(tag, message, self._kind, redelivered))


def _text(short: str | bytes) -> str:
    """Pika leaves what is not UTF-8 as bytes."""
    return short if isinstance(short, str) else short.decode(errors="replace")
