"""Takes crops to label from the queue into the store: a thread with a connection of its own.

A message is acknowledged when the crop is on disk, so a desk that dies loses none. What can't be
read is dropped and counted: nobody can label it. The same thread deletes what is too old.
"""

import contextlib
import sqlite3
import time
from collections import Counter
from typing import Any, Self

import pika
import structlog

from desk.background import background
from desk.labels.deletion import sweep
from desk.labels.png import to_png
from desk.labels.store import LabelStore
from maskgate.protocol.crop import Message
from maskgate.protocol.errors import UnreadableCropError
from maskgate.protocol.review import parse
from maskgate.protocol.topology import REVIEW_QUEUE
from maskgate.runtime import pika_internals
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.broker import trouble
from maskgate.runtime.stop import Stop

_PREFETCH = 32
_TURN_S = 0.2
_SWEEP_S = 60.0
_CLOSE_TIMEOUT_S = 5.0

log = structlog.get_logger()


class LabelIntake:
    """Runs from ``start`` to ``close``, or while it is a context manager."""

    def __init__(self, store: LabelStore, parameters: pika.connection.Parameters) -> None:
        self._store = store
        self._parameters = parameters
        #: What became of the crops that arrived since the start.
        self.counts: Counter[str] = Counter()
        self._stop = Stop()
        self._backoff = Backoff()
        self._lost = False
        self._swept_s = 0.0
        self._thread = background("labels", self._run)

    def start(self) -> None:
        """Begin to take crops."""
        pika_internals.install()
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not stored stays in the queue."""
        self._stop.request()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, message: Message) -> None:
        """Store one message's crop, unless it can't be read or is not wanted.

        Raises:
            OSError, sqlite3.Error: it can't be written.
        """
        try:
            crop = parse(message)
            to_png(crop.body)  # refuses what is no picture
            fate = self._store.add(crop).value
        except UnreadableCropError as error:
            fate = "unreadable"
            log.warning("labels.unreadable", reason=error.reason.value)
        self.counts[fate] += 1

    def _run(self) -> None:
        while not self._stop.requested:
            try:
                self._sweep()
                self._consume()
            except (sqlite3.Error, OSError) as error:
                self._failed("labels.store_failed", str(error))
            except Exception as error:  # noqa: BLE001  (a reset socket can raise anything in pika)
                self._failed("labels.broker_lost", repr(trouble(error)))

    def _consume(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=_PREFETCH)
            channel.basic_consume(REVIEW_QUEUE, self._received)
            while not self._stop.requested:
                connection.process_data_events(_TURN_S)
                self._lost = False
                self._backoff.reset()
                self._sweep()
                if not channel.consumer_tags:
                    msg = f"the broker cancelled the consumer of {REVIEW_QUEUE}"
                    raise RuntimeError(msg)
        finally:
            with contextlib.suppress(Exception):
                connection.close()

    def _received(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.take(
            Message(
                body,
                properties.content_type,
                properties.type,
                properties.message_id,
                properties.headers or {},
            )
        )
        channel.basic_ack(method.delivery_tag)

    def _sweep(self) -> None:
        if self._swept_s and time.monotonic() - self._swept_s < _SWEEP_S:
            return
        deleted = sweep(self._store)
        self._swept_s = time.monotonic()
        if deleted.crops:
            log.info("labels.retention", crops=deleted.crops, exported=deleted.exported)

    def _failed(self, event: str, error: str) -> None:
        if not self._lost:
            self._lost = True
            log.warning(event, error=error)
        self._stop.sleep(self._backoff.next_s())
