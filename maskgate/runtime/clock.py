"""Wall-clock time as processes exchange it: integer milliseconds since the epoch."""

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]


def now_ms() -> int:
    """Milliseconds since the epoch, by the clock of this machine."""
    return time.time_ns() // 1_000_000
