"""Keeps what was read for some seconds, so that many readers cost Redis as much as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from desk.background import background

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
_FRESH_S, _STALE_S = 5.0, 600.0
_MOST = 8

log = structlog.get_logger()


class Fresh(Generic[KeyT, ValueT]):
    """The last values of a function.

    A value is good for ``fresh_s``. Until ``stale_s`` it is still given, so that nobody waits, and
    read again in the background. After that, who asks waits for a new one.
    """

    def __init__(
        self,
        read: Callable[[KeyT], ValueT],
        *,
        fresh_s: float = _FRESH_S,
        stale_s: float = _STALE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._clock = read, clock
        self._fresh_s, self._stale_s = fresh_s, stale_s
        self._kept: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    def get(self, key: KeyT) -> ValueT:
        """The value of a key; an error of the function is passed on and not kept."""
        found = self._found(key, self._stale_s)
        if found is None:
            with self._reading:
                # Somebody else may have read it meanwhile.
                found = self._found(key, self._fresh_s) or self._renewed(key)
        elif self._clock() - found[0] >= self._fresh_s and self._reading.acquire(blocking=False):
            background("precision", self._renew, key).start()
        return found[1]

    def _found(self, key: KeyT, age_s: float) -> tuple[float, ValueT] | None:
        with self._lock:
            found = self._kept.get(key)
        return found if found and self._clock() - found[0] < age_s else None

    def _renewed(self, key: KeyT) -> tuple[float, ValueT]:
        found = self._clock(), self._read(key)
        with self._lock:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return found

    def _renew(self, key: KeyT) -> None:
        try:
            self._renewed(key)
        except Exception as error:  # noqa: BLE001  (in a thread of its own: nobody would see it)
            log.warning("desk.not_renewed", error=str(error))
        finally:
            self._reading.release()
