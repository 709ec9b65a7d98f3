"""Who works when: the cameras of a process share its cores, one after the other."""

import os
import threading
from collections import deque
from types import TracebackType


class Turns:
    """A context for at most ``at_once`` threads; who has waited longest is next.

    A semaphore of ``threading`` lets a thread that comes take the place of one that was woken, so
    that some wait many times longer than others.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if self._free:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # whose turn has ended releases it, and hands its place over

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


#: As many cameras work at once as there are cores: if all shared a core, each would wait for the
#: last.
TURNS = Turns(len(os.sched_getaffinity(0)))
