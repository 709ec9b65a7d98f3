"""Consumes crops from RabbitMQ: one channel, two consumers, no threads."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pika

from maskgate.protocol.errors import BrokerError, Reason
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.runtime.broker import trouble
from maskgate.runtime.pika_internals import DeliveryFrames, attach
from worker.broker.dead_letters import DeadLetters
from worker.broker.subscription import Subscription

#: Nobody waits for an audit sample, and what both windows may hold must fit into the container.
AUDIT_PREFETCH = 32


class RabbitConsumer:
    """See :class:`maskgate.protocol.queue.CropConsumer`."""

    def __init__(self, parameters: pika.connection.Parameters, *, prefetch: int) -> None:
        self._parameters = parameters
        self._prefetch = {QueueKind.LIVE: prefetch, QueueKind.AUDIT: min(prefetch, AUDIT_PREFETCH)}
        self._connection: Any = None
        self._channel: Any = None
        self._subscriptions: dict[QueueKind, Subscription] = {}
        self._arrived: deque[Delivery] = deque()
        self._cancelled: str | None = None
        self._frames: DeliveryFrames | None = None
        self._dead = DeadLetters(parameters)

    def connect(self) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        self.close()
        with _broker_errors():
            self._connection = pika.BlockingConnection(self._parameters)
            self._channel = self._connection.channel()
            self._channel.add_on_cancel_callback(self._on_cancel)
            self._frames = attach(self._connection, self._channel.channel_number)
            self._subscriptions = {
                kind: Subscription(kind, max_prefetch=most, deliver=self._arrived.append)
                for kind, most in self._prefetch.items()
            }
            for subscription in self._subscriptions.values():
                self._channel.queue_declare(subscription.queue, passive=True)
                subscription.start(self._channel, self._frames)

    def receive(self, limit: int, timeout_s: float) -> list[Delivery]:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        before = -1
        # One poll reads at most 100 KiB: poll until the batch is full or nothing more arrives.
        while before < len(self._arrived) < limit:
            before = len(self._arrived)
            self._poll(0 if self._arrived else timeout_s)
            if self._frames and not self._frames.may_be_more:
                break
        return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    def read(self) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        self._poll(0)

    def ack(self, batch: Sequence[Delivery], rejected: Mapping[int, Reason]) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        with _broker_errors():
            self._bury(batch, rejected)
            grown = [each for each in self._subscriptions.values() if each.grow()]
            for subscription in grown:
                # As many crops as its prefetch allows are unacknowledged, so no delivery can arrive
                # while it is being cancelled.
                self._channel.basic_cancel(subscription.tag)
            self._channel.basic_ack(batch[-1].tag, multiple=True)
            for delivery in batch:
                self._subscriptions[delivery.queue].acked(delivery)
            for subscription in grown:
                subscription.start(self._channel, self._frames)
        if grown:
            self._poll(0)  # cancelling ends pika's next wait, which must not be receive's

    def keep_alive(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        # Deliveries that arrive meanwhile are kept; the prefetch limits their number.
        self._poll(duration_s)

    def close(self) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        connection, self._connection = self._connection, None
        self._cancelled = None
        if connection is not None and connection.is_open:
            # An error in pika's decoder leaves the connection in an unknown state: close it anyway.
            with suppress(Exception):
                for subscription in self._subscriptions.values():
                    self._channel.basic_cancel(subscription.tag)
            with suppress(Exception):
                connection.close()
        self._arrived.clear()
        self._dead.close()

    def _bury(self, batch: Sequence[Delivery], rejected: Mapping[int, Reason]) -> None:
        """Publish the dead letters. If one is not taken, acknowledge the crops that need none."""
        try:
            for each in batch:
                if each.tag in rejected:
                    queue = self._subscriptions[each.queue].queue
                    self._dead.send(each, queue, rejected[each.tag])
        except BrokerError:
            for each in batch:
                if each.tag not in rejected:
                    self._channel.basic_ack(each.tag)
            raise

    def _poll(self, timeout_s: float) -> None:
        self._dead.keep_alive()
        with _broker_errors():
            if self._connection is None:
                msg = "not connected"
                raise BrokerError(msg)
            if self._frames:
                self._frames.begin_poll(waiting=timeout_s > 0)
            self._connection.process_data_events(time_limit=timeout_s)
            if self._frames:
                self._frames.waiting = False
            if self._cancelled is not None:
                msg = f"the broker cancelled the consumer of {self._cancelled}. Was it deleted?"
                raise BrokerError(msg)
            if not self._channel.is_open:
                msg = "the broker closed the channel"
                raise BrokerError(msg)

    def _on_cancel(self, method_frame: Any) -> None:
        tag = method_frame.method.consumer_tag
        queues = (each.queue for each in self._subscriptions.values() if each.tag == tag)
        self._cancelled = next(queues, "?")


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except BrokerError:
        raise
    except Exception as error:  # noqa: BLE001  (a bad header may raise anything in pika's decoder)
        raise BrokerError(trouble(error)) from None
