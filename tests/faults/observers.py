"""Whoever watches from outside: the history of every camera, the dead letters, the audit ledger, and a door at each camera.

They have connections of their own, past the proxies, except for the doors.
"""

import threading
from abc import ABC, abstractmethod
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from maskgate.gate.client import Gate
from maskgate.protocol.topology import DEAD_QUEUE
from maskgate.protocol.verdict import audit_seen_key, history_key, parse_history_entry
from maskgate.runtime.clock import now_ms
from tests.faults.ledger import DELIVERY_LIMIT, Ledger
from tests.faults.load import CAMERAS
from tests.servers.rabbit_server import RabbitServer


class Observer(ABC):
    """A thread that looks again and again; a server that is away just now is no news."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self.failure: BaseException | None = None

    @abstractmethod
    def look(self) -> None:
        """Once."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; raises what ended it before."""
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
    """Follows the streams of all cameras, and what the audit has counted."""

    def __init__(self, admin: Redis, ledger: Ledger, model: str) -> None:
        super().__init__(0.05)
        self.latencies_ms: list[int] = []  # from capture to verdict
        self.newest_verdict_ms = 0  # when the newest crop that became a verdict was captured
        self._admin, self._ledger, self._seen = admin, ledger, audit_seen_key(model)
        self._last = {history_key(camera): "0" for camera in (*CAMERAS, "?")}
        self._lock = threading.Lock()

    def look(self) -> None:
        """See :class:`Observer`."""
        try:
            self.drain()
        except RedisError:
            return

    def drain(self, *, then_flush: bool = False) -> None:
        """Everything that stands there; ``then_flush`` deletes it in the same transaction, so that nothing is missed."""
        with self._lock, self._admin.pipeline(transaction=True) as pipe:
            for key, last in self._last.items():
                pipe.xrange(key, f"({last}" if last != "0" else "-")
            pipe.zrange(self._seen, 0, -1)
            if then_flush:
                pipe.flushall()
            *histories, audited = pipe.execute()[: len(self._last) + 1]
            self._ledger.audited.update(audited)
            for key, entries in zip(self._last, histories, strict=True):
                for entry, fields in entries:
                    self._last[key] = entry
                    end = parse_history_entry(fields)
                    self._ledger.ended(end.crop_id, end.outcome)
                    if end.p_mask is not None:
                        self.latencies_ms.append(end.decided_at_ms - (end.captured_at_ms or 0))
                        self.newest_verdict_ms = max(
                            self.newest_verdict_ms, end.captured_at_ms or 0
                        )


class DeadLetters(Observer):
    """Takes every dead letter off its queue, which keeps only so many."""

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
    deaths = (headers or {}).get("x-death") or [{}]
    reason = str(deaths[0].get("reason"))
    return {"rejected": "unreadable"}.get(reason, reason or DELIVERY_LIMIT)


class Doors(Observer):
    """Asks for every camera's decision, as doors do, and has the ledger judge the answer."""

    def __init__(self, url: str, password: str, ledger: Ledger) -> None:
        super().__init__(0.01)
        self._gate, self._ledger = Gate(url, password), ledger

    def look(self) -> None:
        """See :class:`Observer`."""
        for camera in CAMERAS:
            asked_at_ms = now_ms()
            self._ledger.read(camera, self._gate.decision(camera), asked_at_ms)

    def stop(self) -> None:
        """See :class:`Observer`."""
        super().stop()
        self._gate.close()
