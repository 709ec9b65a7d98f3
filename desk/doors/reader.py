"""Reads all doors a few times a second in a thread of its own; every page shows its snapshot.

A wake-up of any camera makes it read at once, so that a change is seen before the next turn. The
keys are the truth, as for a door: without wake-ups it only takes a little longer.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog
from redis import Redis
from redis.client import PubSub
from redis.exceptions import NoPermissionError, RedisError

from desk.background import running
from desk.doors.snapshot import Snapshot
from maskgate.gate.decide import Action, Decision
from maskgate.gate.doors import Door, Doors
from maskgate.gate.errors import gate_errors
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.verdict import CHANNEL_PATTERN
from maskgate.runtime.clock import Clock, now_ms

EVERY_S = 0.25
#: After a look, wake-ups are ignored for so long, and for longer where a look takes longer.
_GAP_S = 0.2
_SHARE = 5
#: More cameras than a desk can show; the ones seen last count.
MOST_CAMERAS = 1000
_MOST_WAKE_UPS = 2000
_RETRY_S = 0.5

log = structlog.get_logger()


class Reader:
    """Hands a :class:`Snapshot` to ``show`` after each look."""

    def __init__(
        self,
        client: Redis,
        show: Callable[[Snapshot], None],
        *,
        cameras: Sequence[str] = (),
        clock: Clock = now_ms,
    ) -> None:
        self._redis, self._show, self._clock = client, show, clock
        self._configured = tuple(cameras)
        self._doors = Doors(client, clock=clock)
        self._last = Snapshot(0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Read once, then go on in a thread until the block ends."""
        self._turn()
        with running("doors", self._run):
            yield

    def look(self) -> Snapshot:
        """All doors now; if Redis does not answer, each is manual with that as its reason."""
        try:
            seen_ms = self._seen()
            cameras = self._configured or sorted(seen_ms)
            alive, doors = self._doors.look(cameras)
        except MaskgateError as error:
            return self._unknown(str(error))
        return Snapshot(self._clock(), doors, alive, seen_ms)

    def _unknown(self, trouble: str) -> Snapshot:
        decision = Decision(Action.MANUAL, trouble)
        known = [door.camera for door in self._last.doors] or self._configured
        doors = [Door(camera, decision) for camera in known]
        return replace(self._last, at_ms=self._clock(), doors=doors, alive=None, trouble=trouble)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._follow(stop)
            except Exception as error:
                log.error("desk.error", exc_info=error)
                self._show(self._unknown(f"{type(error).__name__}: see the log"))
            stop.wait(_RETRY_S)

    def _follow(self, stop: threading.Event) -> None:
        """Look, and wait for a wake-up or the next turn, until Redis fails or the end."""
        self._turn()  # also where a subscription is refused
        try:
            # redis-py has no types here.
            with self._redis.pubsub() as wake_ups:  # type: ignore[no-untyped-call]
                wake_ups.psubscribe(CHANNEL_PATTERN)
                while not stop.is_set():
                    began_s = time.monotonic()
                    self._turn()
                    self._wait(wake_ups, stop, began_s, time.monotonic() - began_s)
        except NoPermissionError as error:
            log.warning("desk.no_wake_ups", error=str(error))
            while not stop.wait(EVERY_S):
                self._turn()
        except RedisError:
            return  # the next look says what is the matter

    def _turn(self) -> None:
        snapshot = self.look()
        if snapshot.trouble and snapshot.trouble != self._last.trouble:
            log.warning("desk.no_redis", error=snapshot.trouble)
        elif self._last.trouble and not snapshot.trouble:
            log.info("desk.redis_is_back")
        self._last = snapshot
        self._show(snapshot)

    def _wait(self, wake_ups: PubSub, stop: threading.Event, began_s: float, took_s: float) -> None:
        """Until a wake-up or the next turn; the wake-ups that have come until then are one."""
        woken = wake_ups.get_message(timeout=max(0.0, EVERY_S - took_s))
        if woken is not None:
            gap_s = max(_GAP_S, _SHARE * took_s) - (time.monotonic() - began_s)
            stop.wait(max(0.0, gap_s))
            for _ in range(_MOST_WAKE_UPS):
                if wake_ups.get_message(timeout=0) is None:
                    return

    def _seen(self) -> dict[str, int]:
        with gate_errors():
            found: Any = self._redis.zrange(
                CAMERAS_KEY, 0, MOST_CAMERAS - 1, desc=True, withscores=True
            )
        # What is no id of a camera was not written by a worker, and must not become a key.
        return {
            camera: int(score) for camera, score in found if is_id(camera) and math.isfinite(score)
        }
