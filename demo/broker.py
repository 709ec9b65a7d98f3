"""The crop queue inside one process, for the demo and for tests.

As in RabbitMQ, full queues refuse messages, each consumer has a window, and messages of a lost
worker are redelivered. The contract tests of the queue run against this queue and against RabbitMQ.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from maskgate.protocol.camera_state import is_state
from maskgate.protocol.crop import Message
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import Delivery, QueueKind, Refusal, Tally
from maskgate.protocol.topology import AUDIT_KEY, live_key
from maskgate.runtime.slow_start import SlowStart

#: What the binding ``live.*`` matches: a star is one word.
_LIVE_KEY = re.compile(re.escape(live_key("")) + r"[^.]*")


@dataclass(slots=True)
class _Waiting:
    message: Message
    redelivered: bool = False


@dataclass(slots=True)
class Broker:
    """Two queues, and the dead letters: what workers rejected."""

    max_length: int = 20_000
    live: deque[_Waiting] = field(default_factory=deque)
    audit: deque[_Waiting] = field(default_factory=deque)
    dead: list[Message] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def queue(self, kind: QueueKind) -> "deque[_Waiting]":
        """The live or the audit queue."""
        return self.audit if kind is QueueKind.AUDIT else self.live


class InProcessPublisher:
    """See :class:`maskgate.protocol.queue.CropPublisher`."""

    def __init__(self, broker: Broker) -> None:
        self.live = Tally()
        self.audit = Tally()
        self.states = Tally()
        self._broker = broker

    def publish(self, message: Message, queue: QueueKind = QueueKind.LIVE) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        live = self.states if is_state(message) else self.live
        tally = self.audit if queue is QueueKind.AUDIT else live
        tally.offered += 1
        with self._broker.changed:
            if queue is QueueKind.AUDIT:
                message = msgspec.structs.replace(message, routing_key=AUDIT_KEY)
            elif not _LIVE_KEY.fullmatch(message.routing_key):
                tally.refusals[Refusal.UNROUTABLE] += 1
                return
            waiting = self._broker.queue(queue)
            if len(waiting) >= self._broker.max_length:
                tally.refusals[Refusal.QUEUE_FULL] += 1
                return
            waiting.append(_Waiting(message))
            tally.accepted += 1
            self._broker.changed.notify()

    def rest(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropPublisher`."""
        time.sleep(duration_s)

    def flush(self, timeout_s: float) -> None:
        """Does nothing: every message is confirmed at once."""

    def close(self) -> None:
        """Does nothing: there is no connection."""


class InProcessConsumer:
    """See :class:`maskgate.protocol.queue.CropConsumer`."""

    def __init__(self, broker: Broker, *, prefetch: int = 256) -> None:
        self._broker = broker
        self._prefetch = prefetch
        self._next_tag = 1
        self._held: dict[int, tuple[_Waiting, QueueKind]] = {}
        self._windows = {kind: SlowStart(prefetch) for kind in QueueKind}

    def connect(self) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        self.close()
        self._windows = {kind: SlowStart(self._prefetch) for kind in QueueKind}

    def receive(self, limit: int, timeout_s: float) -> list[Delivery]:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        deadline_s = time.monotonic() + timeout_s
        with self._broker.changed:
            while not (batch := self._take(limit)):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return []
                self._broker.changed.wait(left_s)
        return batch

    def read(self) -> None:
        """Does nothing: messages stay in the queue until ``receive``."""

    def ack(self, batch: Sequence[Delivery], rejected: Mapping[int, Reason]) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        for kind, window in self._windows.items():
            redelivered = sum(
                waiting.redelivered
                for waiting, held_kind in self._held.values()
                if held_kind is kind
            )
            window.grow(self._count_held(kind), redelivered)
        with self._broker.changed:
            for delivery in batch:
                waiting, _ = self._held.pop(delivery.tag)
                if delivery.tag in rejected:
                    self._broker.dead.append(waiting.message)

    def keep_alive(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        time.sleep(duration_s)

    def close(self) -> None:
        """See :class:`maskgate.protocol.queue.CropConsumer`."""
        self._give_back(marked=False)

    def lose(self) -> None:
        """Act like a killed process: its messages come back marked as delivered before."""
        self._give_back(marked=True)

    def _take(self, limit: int) -> list[Delivery]:
        batch: list[Delivery] = []
        for kind in QueueKind:
            queue = self._broker.queue(kind)
            room = min(limit - len(batch), self._windows[kind].window - self._count_held(kind))
            for _ in range(min(room, len(queue))):
                waiting = queue.popleft()
                self._held[self._next_tag] = waiting, kind
                batch.append(Delivery(self._next_tag, waiting.message, kind, waiting.redelivered))
                self._next_tag += 1
        return batch

    def _count_held(self, kind: QueueKind) -> int:
        return sum(held_kind is kind for _, held_kind in self._held.values())

    def _give_back(self, *, marked: bool) -> None:
        with self._broker.changed:
            for waiting, kind in reversed(self._held.values()):
                waiting.redelivered |= marked
                self._broker.queue(kind).appendleft(waiting)
            self._held.clear()
            self._broker.changed.notify_all()
