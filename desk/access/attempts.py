"""How many sign-ins are tried under a name and from an address, in a sliding window."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

#: Keys that are remembered at most; the one that was used longest ago is forgotten.
_MOST_KEYS = 10_000


class Attempts:
    """Allows ``limit`` attempts of one key within ``window_s``. Thread-safe."""

    def __init__(
        self, limit: int, window_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._window_s, self._clock = limit, window_s, clock
        self._lock = threading.Lock()
        self._tried: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Count an attempt; returns 0 if it is allowed, else after how many seconds the next is."""
        with self._lock:
            now_s = self._clock()
            tried = self._tried.setdefault(key, deque())
            self._tried.move_to_end(key)
            while tried and now_s - tried[0] >= self._window_s:
                tried.popleft()
            while len(self._tried) > _MOST_KEYS:
                self._tried.popitem(last=False)
            if len(tried) >= self._limit:
                return self._window_s - (now_s - tried[0])
            tried.append(now_s)
            return 0.0

    def give_back(self, key: str) -> None:
        """The last attempt succeeded: it does not count."""
        with self._lock:
            if tried := self._tried.get(key):
                tried.pop()

    def forget(self, key: str) -> None:
        """An attempt succeeded: those before it don't count."""
        with self._lock:
            self._tried.pop(key, None)
