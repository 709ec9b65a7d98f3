"""Publishes crops to label, best effort: a thread and a connection of its own.

The worker's loop hands a crop over and goes on. pika waits when a broker is slow, has a memory
alarm or is gone; here the thread waits, and what does not fit into its short queue is dropped and
counted. There are no confirms: to label fewer crops does no harm, a late verdict does.
"""

import contextlib
import copy
import queue
import threading
import time
from enum import StrEnum
from typing import Any

import pika
import structlog
from prometheus_client import CollectorRegistry, Counter

from maskgate.protocol.review import ReviewCrop, to_message
from maskgate.protocol.topology import REVIEW_EXCHANGE, REVIEW_KEY
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.broker import trouble
from maskgate.runtime.message_properties import to_properties

#: At 2 to 50 kB each.
_WAITING = 256
_TURN_S = 0.2
_SERVE_S = 1.0
_BLOCKED_TIMEOUT_S = 5
_CLOSE_TIMEOUT_S = 2.0

log = structlog.get_logger()


class Fate(StrEnum):
    """What became of a crop that was drawn."""

    OFFERED = "offered"
    PUBLISHED = "published"
    DROPPED = "dropped"


class ReviewPublisher:
    """See :class:`worker.review.sampler.ReviewOutlet`.

    Counts ``maskgate_review_crops`` by fate: what is offered is published or dropped, or waits.
    ``published`` says that it was sent, not that the broker kept it.
    """

    def __init__(self, parameters: pika.connection.Parameters, registry: CollectorRegistry) -> None:
        self._parameters = copy.copy(parameters)
        self._parameters.blocked_connection_timeout = _BLOCKED_TIMEOUT_S
        self._waiting: queue.Queue[ReviewCrop] = queue.Queue(_WAITING)
        self._counts = Counter(
            "maskgate_review_crops", "Crops drawn for labelling", ["fate"], registry=registry
        )
        for fate in Fate:
            self._counts.labels(fate.value)
        self._channel: Any = None
        self._served_s = 0.0
        self._backoff = Backoff(ceiling_s=30)
        self._lost = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="review", daemon=True)
        self._thread.start()

    def offer(self, crop: ReviewCrop) -> None:
        """See :class:`worker.review.sampler.ReviewOutlet`."""
        self._count(Fate.OFFERED)
        try:
            self._waiting.put_nowait(crop)
        except queue.Full:
            self._count(Fate.DROPPED)

    def close(self) -> None:
        """Send what waits if that is quick, and disconnect. Never raises."""
        self._stopping.set()
        self._thread.join(_CLOSE_TIMEOUT_S)  # a daemon: one that hangs does not keep the process

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._waiting.empty():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001  (a reset socket can raise anything in pika)
                self._failed(error)
        self._disconnect()

    def _turn(self) -> None:
        try:
            crop = self._waiting.get(timeout=_TURN_S)
        except queue.Empty:
            self._serve()
            return
        try:
            self._publish(crop)
        except Exception:
            self._count(Fate.DROPPED)
            raise
        self._count(Fate.PUBLISHED)

    def _publish(self, crop: ReviewCrop) -> None:
        message = to_message(crop)
        self._open().basic_publish(
            REVIEW_EXCHANGE, REVIEW_KEY, message.body, to_properties(message)
        )
        self._serve()
        self._backoff.reset()
        self._lost = False

    def _serve(self) -> None:
        """Send heartbeats, and learn that the broker closed the channel."""
        if self._channel is not None and time.monotonic() - self._served_s > _SERVE_S:
            self._served_s = time.monotonic()
            self._channel.connection.process_data_events(0)

    def _open(self) -> Any:
        if self._channel is None or not self._channel.is_open:
            self._disconnect()
            self._channel = pika.BlockingConnection(self._parameters).channel()
        return self._channel

    def _failed(self, error: Exception) -> None:
        self._disconnect()
        if not self._lost:
            self._lost = True
            log.warning("review.lost", error=repr(trouble(error)))
        self._stopping.wait(self._backoff.next_s())

    def _disconnect(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(Exception):
                channel.connection.close()

    def _count(self, fate: Fate) -> None:
        self._counts.labels(fate.value).inc()
