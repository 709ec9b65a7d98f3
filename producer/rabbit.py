"""Publishes crops to RabbitMQ, with a window of unconfirmed messages; reconnects by itself.

pika's BlockingConnection waits for each confirmation. This class runs pika's event loop between two
messages instead, until the window has room. There is one thread, and heartbeats are sent only while
the loop runs: a producer with nothing to send must call ``rest``.
"""

import gc
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pika
import structlog
from pika.adapters.select_connection import IOLoop

from maskgate.protocol.camera_state import is_state
from maskgate.protocol.crop import Message
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.queue import QueueKind, Refusal, Tally
from maskgate.protocol.topology import AUDIT_EXCHANGE, AUDIT_KEY, LIVE_EXCHANGE
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.broker import trouble
from maskgate.runtime.message_properties import to_properties
from maskgate.runtime.stop import Stop

#: Unconfirmed messages: enough to hide the broker's fsync, few enough to send again.
WINDOW = 256
_ACCESS_REFUSED = 403
_CLOSE_TIMEOUT_S = 2.0
#: How long a camera waits for room in the window. A door wants the next picture, not this one.
_ROOM_TIMEOUT_S = 1.0
_TURN_S = 0.2
#: Messages leave the process after this time at the latest. Waiting for a full window, the crops
#: of a slow camera would expire.
_UNSENT_S = 0.005

log = structlog.get_logger()


class RabbitPublisher:
    """See :class:`maskgate.protocol.queue.CropPublisher`.

    Without a broker, or during its memory or disk alarm, a crop is refused. If ``patient``,
    ``publish`` waits for the broker instead: a folder can wait, a live camera can't. Messages that
    were unconfirmed when a connection was lost are sent again: the broker may have them already,
    and twice does no harm. ``settled`` is called with each message that was sent, and with its
    refusal, or None if the broker accepted it.

    A camera that the broker's user may not speak for stops the process: no attempt would succeed.
    Then ``publish``, ``rest`` and ``flush`` raise ConfigurationError.
    """

    def __init__(
        self,
        parameters: pika.connection.Parameters,
        *,
        stop: Stop,
        patient: bool = False,
        window: int = WINDOW,
        settled: Callable[[Message, Refusal | None], None] = lambda _message, _refusal: None,
    ) -> None:
        self.live = Tally()
        self.audit = Tally()
        self.states = Tally()
        self._parameters = parameters
        self._stop = stop
        self._patient = patient
        self._window = window
        self._settled = settled
        self._loop = IOLoop()
        self._connection: Any = None
        self._channel: Any = None
        self._next_tag = 1
        self._in_flight: OrderedDict[int, tuple[Message, bool]] = OrderedDict()
        self._resend: list[tuple[Message, bool]] = []
        self._returned: set[object] = set()
        self._backoff = Backoff()
        self._retry_at_s = 0.0
        self._turned_s = 0.0
        self._trouble = ""
        self._forbidden = ""
        self._blocked = False

    def publish(self, message: Message, queue: QueueKind = QueueKind.LIVE) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        tally = self._tally(message, audit=queue is QueueKind.AUDIT)
        tally.offered += 1
        if self._patient:
            self._run_until(lambda: self._ready and self._has_room, None)
        else:
            self._run_until(lambda: not self._ready or self._has_room, _ROOM_TIMEOUT_S)
            if not self._ready:
                self._connect_if_due()
                self._run_until(lambda: self._ready, 0)
        if not self._ready or not self._has_room:
            tally.refusals[Refusal.NO_BROKER] += 1
            return
        self._publish(message, audit=queue is QueueKind.AUDIT)
        if time.monotonic() - self._turned_s > _UNSENT_S:
            self._turn(0)

    def wait_for_broker(self, timeout_s: float) -> None:
        """Wait for the connection, so that the first crops are not refused."""
        self._run_until(lambda: self._ready, timeout_s)

    def rest(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        self._run_until(lambda: False, duration_s)

    def flush(self, timeout_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        self._run_until(
            lambda: not self._in_flight and not self._resend, timeout_s, even_if_stopping=True
        )

    def close(self) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        self._stop.request()  # do not reconnect
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
            self._run_until(
                lambda: self._connection is None, _CLOSE_TIMEOUT_S, even_if_stopping=True
            )
        self._loop.close()

    @property
    def _ready(self) -> bool:
        return self._channel is not None and self._channel.is_open and not self._blocked

    @property
    def _has_room(self) -> bool:
        return len(self._in_flight) < self._window

    def _tally(self, message: Message, *, audit: bool) -> Tally:
        if audit:
            return self.audit
        return self.states if is_state(message) else self.live

    def _publish(self, message: Message, *, audit: bool) -> None:
        exchange, key = (
            (AUDIT_EXCHANGE, AUDIT_KEY) if audit else (LIVE_EXCHANGE, message.routing_key)
        )
        properties = to_properties(message)
        self._channel.basic_publish(exchange, key, message.body, properties, mandatory=True)
        self._in_flight[self._next_tag] = message, audit
        self._next_tag += 1

    def _run_until(
        self, done: Callable[[], bool], timeout_s: float | None, *, even_if_stopping: bool = False
    ) -> None:
        """Run the event loop until ``done()``, the timeout or a stop request."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not done():
            if self._forbidden and not self._stop.requested:
                raise ConfigurationError(self._forbidden)
            self._connect_if_due()
            left_s = _TURN_S if deadline_s is None else min(_TURN_S, deadline_s - time.monotonic())
            if left_s <= 0 or (self._stop.requested and not even_if_stopping):
                return
            self._turn(left_s)

    def _turn(self, duration_s: float) -> None:
        """Run the event loop for a time, or until it is stopped. All input and output is here."""
        timer = self._loop.call_later(duration_s, self._loop.stop)
        try:
            self._loop.start()
            self._loop.remove_timeout(timer)
        except Exception as error:  # noqa: BLE001  (a reset socket can raise inside pika's loop)
            self._begin_anew(error)
        self._turned_s = time.monotonic()

    def _connect_if_due(self) -> None:
        if (
            self._connection is not None
            or self._stop.requested
            or time.monotonic() < self._retry_at_s
        ):
            return
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=lambda connection: connection.channel(
                on_open_callback=self._on_channel
            ),
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )
        self._connection.add_on_connection_blocked_callback(lambda *_: self._on_alarm(blocked=True))
        self._connection.add_on_connection_unblocked_callback(
            lambda *_: self._on_alarm(blocked=False)
        )

    def _on_alarm(self, *, blocked: bool) -> None:
        """During a memory or disk alarm the broker reads nothing from this connection."""
        self._blocked = blocked
        self._loop.stop()

    def _begin_anew(self, error: Exception) -> None:
        """Drop connection and loop after an error that pika does not report by a callback."""
        with suppress(Exception):
            self._loop.close()
        self._loop = IOLoop()
        self._on_lost(None, error)
        gc.collect()  # reference cycles hold the sockets open, and the broker waits for them

    def _on_channel(self, channel: Any) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(
            lambda _channel, _method, properties, _body: self._returned.add(properties.message_id)
        )
        channel.confirm_delivery(
            self._on_confirmation, callback=lambda _frame: self._on_confirming(channel)
        )

    def _on_confirming(self, channel: Any) -> None:
        self._channel = channel
        self._next_tag = 1
        self._backoff.reset()
        log.info("broker.connected", resending=len(self._resend))
        self._trouble = ""
        resend, self._resend = self._resend, []
        for message, audit in resend:
            self._publish(message, audit=audit)
        self._loop.stop()

    def _on_confirmation(self, frame: Any) -> None:
        method = frame.method
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in self._in_flight if tag <= method.delivery_tag]
        for tag in tags:
            message, audit = self._in_flight.pop(tag)
            tally = self._tally(message, audit=audit)
            refusal = Refusal.QUEUE_FULL if method.NAME == "Basic.Nack" else None
            if message.message_id in self._returned:
                self._returned.discard(message.message_id)
                refusal = Refusal.UNROUTABLE
            if refusal is None:
                tally.accepted += 1
            else:
                tally.refusals[refusal] += 1
            self._settled(message, refusal)
        # Woken by each confirmation, the producer would send messages one by one.
        if len(self._in_flight) <= self._window // 2:
            self._loop.stop()

    def _on_channel_closed(self, _channel: object, error: Exception) -> None:
        self._channel = None
        if getattr(error, "reply_code", None) == _ACCESS_REFUSED:
            self._forbidden = (
                f"MASKGATE_CAMERA, MASKGATE_BROKER_URL: {error}. 'maskgate camera add NAME' "
                "registers a camera, with --audit also for labelled samples; set its user, "
                "camera-NAME, and the password that it writes"
            )
            self._loop.stop()
        if self._connection is not None and self._connection.is_open:
            self._lost(error)
            self._connection.close()

    def _on_lost(self, _connection: object, error: Exception | str) -> None:
        self._connection = self._channel = None
        self._blocked = False
        self._lost(error)
        self._loop.stop()

    def _lost(self, error: Exception | str) -> None:
        self._resend += self._in_flight.values()
        self._in_flight.clear()
        self._returned.clear()
        self._retry_at_s = time.monotonic() + self._backoff.next_s()
        if not self._trouble and not self._stop.requested:
            self._trouble = trouble(error)
            log.warning("broker.lost", error=self._trouble)
