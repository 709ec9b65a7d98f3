"""The crop queue inside one process, for the demo and for tests.

As in RabbitMQ, full queues refuse messages, each consumer has a window, messages of a lost worker
are redelivered, and a delivery limit leads to a dead-letter queue. The contract tests of the queue
run against this queue and against RabbitMQ.
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from maskgate.protocol.crop import Message
from maskgate.protocol.queue import Delivery, Refusal, Tally
from maskgate.runtime.slow_start import SlowStart

DELIVERY_LIMIT = 5


@dataclass(slots=True)
class _Waiting:
    message: Message
    returns: int = 0


@dataclass(slots=True)
class Broker:
    """Two queues and dead letters: ``dead`` were rejected, ``over_limit`` returned too often."""

    max_length: int = 20_000
    live: deque[_Waiting] = field(default_factory=deque)
    audit: deque[_Waiting] = field(default_factory=deque)
    dead: list[Message] = field(default_factory=list)
    over_limit: list[Message] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def queue(self, *, audit: bool) -> "deque[_Waiting]":
        """The live or the audit queue."""
        return self.audit if audit else self.live


class InProcessOutlet:
    """See :class:`maskgate.protocol.queue.CropOutlet`."""

    def __init__(self, broker: Broker) -> None:
        self.live = Tally()
        self.audit = Tally()
        self._broker = broker

    def offer(self, message: Message, *, audit: bool = False) -> None:
        """See :class:`maskgate.protocol.queue.CropOutlet`."""
        tally = self.audit if audit else self.live
        tally.offered += 1
        with self._broker.changed:
            queue = self._broker.queue(audit=audit)
            if len(queue) >= self._broker.max_length:
                tally.refusals[Refusal.QUEUE_FULL] += 1
                return
            queue.append(_Waiting(message))
            tally.accepted += 1
            self._broker.changed.notify()

    def rest(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropOutlet`."""
        time.sleep(duration_s)

    def flush(self, timeout_s: float) -> None:
        """Does nothing: every message is confirmed at once."""

    def close(self) -> None:
        """Does nothing: there is no connection."""


class InProcessIntake:
    """See :class:`maskgate.protocol.queue.CropIntake`."""

    def __init__(self, broker: Broker, *, prefetch: int = 256) -> None:
        self._broker = broker
        self._prefetch = prefetch
        self._next_tag = 1
        self._held: dict[int, tuple[_Waiting, bool]] = {}
        self._windows = {audit: SlowStart(prefetch) for audit in (False, True)}

    def connect(self) -> None:
        """See :class:`maskgate.protocol.queue.CropIntake`."""
        self.close()
        self._windows = {audit: SlowStart(self._prefetch) for audit in (False, True)}

    def receive(self, limit: int, timeout_s: float) -> list[Delivery]:
        """See :class:`maskgate.protocol.queue.CropIntake`."""
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

    def settle(self, batch: Sequence[Delivery], rejected: Collection[int]) -> None:
        """See :class:`maskgate.protocol.queue.CropIntake`."""
        for audit, window in self._windows.items():
            redelivered = sum(
                waiting.returns > 0
                for waiting, of_audit in self._held.values()
                if of_audit == audit
            )
            window.grow(self._count_held(audit=audit), redelivered)
        with self._broker.changed:
            for delivery in batch:
                waiting, _ = self._held.pop(delivery.tag)
                if delivery.tag in rejected:
                    self._broker.dead.append(waiting.message)

    def keep_alive(self, duration_s: float) -> None:
        """See :class:`maskgate.protocol.queue.CropIntake`."""
        time.sleep(duration_s)

    def close(self) -> None:
        """See :class:`maskgate.protocol.queue.CropIntake`."""
        self._give_back(counted=False)

    def lose(self) -> None:
        """Act like a killed process: return all messages; this counts to the delivery limit."""
        self._give_back(counted=True)

    def _take(self, limit: int) -> list[Delivery]:
        batch: list[Delivery] = []
        for audit in (False, True):
            queue = self._broker.queue(audit=audit)
            room = min(
                limit - len(batch), self._windows[audit].window - self._count_held(audit=audit)
            )
            for _ in range(min(room, len(queue))):
                waiting = queue.popleft()
                self._held[self._next_tag] = waiting, audit
                batch.append(Delivery(self._next_tag, waiting.message, audit, waiting.returns > 0))
                self._next_tag += 1
        return batch

    def _count_held(self, *, audit: bool) -> int:
        return sum(of_audit == audit for _, of_audit in self._held.values())

    def _give_back(self, *, counted: bool) -> None:
        with self._broker.changed:
            for waiting, audit in reversed(self._held.values()):
                waiting.returns += counted
                if waiting.returns > DELIVERY_LIMIT:
                    self._broker.over_limit.append(waiting.message)
                else:
                    self._broker.queue(audit=audit).appendleft(waiting)
            self._held.clear()
            self._broker.changed.notify_all()
