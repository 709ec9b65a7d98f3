"""Threads that watch a site: every camera's history, the dead letters, and a door at each camera.

All but the doors connect directly to the servers, not through the proxies.
"""

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from maskgate.gate.client import Gate
from maskgate.protocol.audit import audit_seen_key
from maskgate.protocol.topology import DEAD_QUEUE
from maskgate.protocol.verdict import history_key, parse_history_entry
from maskgate.runtime.clock import now_ms
from tests.faults.ledger import TOO_MANY_ATTEMPTS, Ledger
from tests.faults.load import CAMERAS, Sender
from tests.servers.rabbit_server import RabbitServer


class Observer(ABC):
    """A thread that calls :meth:`look` repeatedly and ignores servers that are down."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self.failure: BaseException | None = None

    @abstractmethod
    def look(self) -> None:
        """Read once what is new."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; raises the exception that ended it earlier, if any."""
        self._stop.set()
        self._thread.join(30)
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause_s):
                self.look()
        except BaseException as failure:
            self.failure = failure


class History(Observer):
    """Follows the history of all cameras and the crop ids that the audit has counted."""

    def __init__(self, admin: Redis, ledger: Ledger, models: Sequence[str]) -> None:
        super().__init__(0.05)
        self.latencies_ms: list[int] = []  # from capture to verdict
        #: Crop id → when it ended, and the model of the worker that wrote it, each time.
        self.models: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.newest_verdict_ms = 0  # capture time of the newest crop with a verdict
        self._admin, self._ledger = admin, ledger
        self._seen = [audit_seen_key(model) for model in models]
        self._last = {history_key(camera): "0" for camera in (*CAMERAS, "?")}
        self._lock = threading.Lock()

    def look(self) -> None:
        """See :class:`Observer`."""
        try:
            self.drain()
        except RedisError:
            return

    def drain(self, *, then_flush: bool = False) -> None:
        """Read all new entries.

        ``then_flush`` deletes all keys in the same transaction, so that no entry is missed.
        """
        with self._lock, self._admin.pipeline(transaction=True) as pipe:
            for key, last in self._last.items():
                pipe.xrange(key, f"({last}" if last != "0" else "-")
            for key in self._seen:
                pipe.zrange(key, 0, -1)
            if then_flush:
                pipe.flushall()
            answers = pipe.execute()
            for audited in answers[len(self._last) : len(self._last) + len(self._seen)]:
                self._ledger.audited.update(audited)
            for key, entries in zip(self._last, answers[: len(self._last)], strict=True):
                for entry, fields in entries:
                    self._last[key] = entry
                    end = parse_history_entry(fields)
                    self.models[end.crop_id].append((end.decided_at_ms, end.model))
                    written_at_ms = int(entry.partition("-")[0])
                    self._ledger.ended(end.crop_id, end.outcome, end.decided_at_ms, written_at_ms)
                    if end.p_mask is not None:
                        self.latencies_ms.append(end.decided_at_ms - (end.captured_at_ms or 0))
                        self.newest_verdict_ms = max(
                            self.newest_verdict_ms, end.captured_at_ms or 0
                        )


class DeadLetters(Observer):
    """Removes every dead letter from its queue, whose length is limited."""

    def __init__(self, rabbit: RabbitServer, ledger: Ledger) -> None:
        super().__init__(0.2)
        self._rabbit, self._ledger = rabbit, ledger

    def look(self) -> None:
        """See :class:`Observer`."""
        try:
            taken = self._rabbit.get(DEAD_QUEUE)
        except Exception:
            return
        for properties, _ in taken:
            with self._ledger.lock:
                self._ledger.dead[properties.message_id] = _reason(properties.headers)


def _reason(headers: dict[str, Any] | None) -> str:
    reason = (headers or {}).get("dead_reason")
    return TOO_MANY_ATTEMPTS if reason == TOO_MANY_ATTEMPTS else "unreadable"


class Doors(Observer):
    """Asks for the decision about every camera and person, and lets the ledger check it."""

    def __init__(self, url: str, password: str, ledger: Ledger, sender: Sender) -> None:
        super().__init__(0.01)
        self._gate, self._ledger, self._sender = Gate(url, password), ledger, sender

    def look(self) -> None:
        """See :class:`Observer`."""
        for camera in CAMERAS:
            for track in (None, *self._sender.tracks(camera)):
                asked_at_ms = now_ms()
                decision = self._gate.decision(camera, track)
                self._ledger.read(camera, decision, asked_at_ms, track)

    def stop(self) -> None:
        """See :class:`Observer`."""
        super().stop()
        self._gate.close()
