"""How many messages wait in each queue, as the broker's user ``desk`` may ask."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE, REVIEW_QUEUE
from maskgate.runtime.broker import trouble

_NOT_FOUND = 404
QUEUES = (LIVE_QUEUE, AUDIT_QUEUE, REVIEW_QUEUE, DEAD_QUEUE)


class QueueDepths:
    """A connection that is kept, and made again when it was lost. One thread owns it."""

    def __init__(
        self, parameters: pika.connection.Parameters, queues: Sequence[str] = QUEUES
    ) -> None:
        self._parameters = parameters
        self._queues = queues
        self._connection: Any = None

    def read(self) -> Mapping[str, int | None]:
        """Messages that wait, by queue; None where there is no such queue.

        What a worker holds and has not acknowledged does not wait.

        Raises:
            BrokerError: no broker, or it refuses the user.
        """
        try:
            if self._connection is None or not self._connection.is_open:
                self._connection = pika.BlockingConnection(self._parameters)
            return {queue: self._depth(queue) for queue in self._queues}
        except (AMQPError, OSError) as error:
            self.close()
            raise BrokerError(trouble(error)) from None

    def close(self) -> None:
        """Disconnect. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _depth(self, queue: str) -> int | None:
        channel = self._connection.channel()
        try:
            declared = channel.queue_declare(queue, passive=True)
        except ChannelClosedByBroker as error:
            if error.reply_code != _NOT_FOUND:
                raise
            return None
        channel.close()
        return int(declared.method.message_count)
