"""Sends dead letters: the worker publishes what it rejects, then acknowledges it.

RabbitMQ's own dead-lettering reads headers that the sender of a message may forge: on 3.10 one
message stops it, or the whole queue (docs/adr/0034).
"""

import contextlib
import copy
import time
from typing import Any

import pika

from maskgate.protocol.dead_letter import DEAD_AT, DEAD_FROM, DEAD_REASON
from maskgate.protocol.errors import BrokerError, Reason
from maskgate.protocol.queue import Delivery
from maskgate.protocol.topology import DEAD_EXCHANGE
from maskgate.runtime.broker import trouble
from maskgate.runtime.clock import now_ms
from maskgate.runtime.message_properties import copied_properties

#: Below the heartbeat of the connection that the crops come from, which is not served meanwhile.
_BLOCKED_TIMEOUT_S = 5
_KEEP_ALIVE_S = 1.0


class DeadLetters:
    """A connection of its own, made when it is needed.

    A memory alarm blocks the connections that publish: one for both would stop acknowledgements.
    """

    def __init__(self, parameters: pika.connection.Parameters) -> None:
        self._parameters = copy.copy(parameters)
        self._parameters.blocked_connection_timeout = _BLOCKED_TIMEOUT_S
        self._channel: Any = None
        self._served_s = 0.0

    def send(self, delivery: Delivery, queue: str, reason: Reason) -> None:
        """Publish a copy of a delivery and wait for the broker's confirm.

        Raises:
            BrokerError: the broker did not take it.
        """
        marks = {DEAD_FROM: queue, DEAD_REASON: reason.value, DEAD_AT: now_ms()}
        properties = copied_properties(delivery.message, marks)
        try:
            self._open().basic_publish(
                DEAD_EXCHANGE,
                str(delivery.message.routing_key),
                delivery.message.body,
                properties,
                mandatory=True,
            )
        except Exception as error:  # noqa: BLE001  (a reset socket can raise anything in pika)
            self.close()
            msg = f"{DEAD_EXCHANGE} takes no dead letter: {trouble(error)!r}"
            raise BrokerError(msg) from None

    def keep_alive(self) -> None:
        """Send heartbeats if the connection is open. Never raises: a lost one is made again."""
        if self._channel is not None and time.monotonic() - self._served_s > _KEEP_ALIVE_S:
            self._served_s = time.monotonic()
            try:
                self._channel.connection.process_data_events(0)
            except Exception:  # noqa: BLE001  (as above)
                self.close()

    def close(self) -> None:
        """Disconnect. Never raises."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(Exception):
                channel.connection.close()

    def _open(self) -> Any:
        if self._channel is None or not self._channel.is_open:
            self.close()
            self._channel = pika.BlockingConnection(self._parameters).channel()
            self._channel.confirm_delivery()
        return self._channel
