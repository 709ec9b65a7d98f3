"""Reads, requeues and deletes dead letters. Needs a broker's user that may do so.

Letters are read one after the other and stay in the queue unless they are acknowledged, so a
failure can duplicate a crop, but not lose one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from maskgate.protocol.crop import Message
from maskgate.protocol.dead_letter import message_of, route_back
from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import DEAD_QUEUE
from maskgate.runtime.message_properties import copied_properties


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, and how to take it out of the queue."""

    message: Message
    acknowledge: Callable[[], None]


def letters(channel: Any, limit: int) -> Iterator[Letter]:
    """The oldest letters. What is not acknowledged is back in the queue when the channel closes."""
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE, auto_ack=False)
        if method is None:
            return
        yield Letter(
            message_of(method.routing_key, properties, body),
            partial(channel.basic_ack, method.delivery_tag),
        )


class Requeuer:
    """Puts letters back under the key they came with, on a channel of its own.

    The broker closes the channel when it refuses a letter.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channel: Any = None

    def requeue(self, letter: Letter) -> str | None:
        """Publish, wait for the confirmation, then acknowledge; returns why it failed, or None.

        A letter that the broker refuses stays.
        """
        route = route_back(letter.message.routing_key)
        if route is None:
            return "the queue it came from is unknown"
        try:
            self._publish(route, letter.message)
        except (NackError, UnroutableError) as error:
            return f"its queue is full or missing ({type(error).__name__})"
        except ChannelClosedByBroker as error:
            return f"the broker refuses it ({error.reply_text})"
        letter.acknowledge()
        return None

    def _publish(self, route: tuple[str, str], message: Message) -> None:
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        self._channel.basic_publish(
            *route, message.body, copied_properties(message, {}), mandatory=True
        )


def purge(connection: Any) -> int:
    """Delete all letters; returns how many."""
    return int(connection.channel().queue_purge(DEAD_QUEUE).method.message_count)


@contextmanager
def connected(parameters: pika.connection.Parameters) -> Iterator[Any]:
    """A connection inside the ``with``.

    Raises:
        BrokerError: no broker, or the user has no permission.
    """
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        msg = f"{type(error).__name__}: {error}"
        raise BrokerError(msg) from None
