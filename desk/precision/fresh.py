"""Keeps what was read for a few seconds, so that many readers cost Redis as much as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
_FRESH_S = 5.0
_MOST = 8


class Fresh(Generic[KeyT, ValueT]):
    """The last values of a function, each for some seconds. One reader at a time calls it."""

    def __init__(
        self,
        read: Callable[[KeyT], ValueT],
        *,
        fresh_s: float = _FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._fresh_s, self._clock = read, fresh_s, clock
        self._kept: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: KeyT) -> ValueT:
        """The value of a key; an error of the function is passed on and not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None and self._clock() - found[0] < self._fresh_s:
                return found[1]
            value = self._read(key)
            self._kept[key] = self._clock(), value
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
            return value
