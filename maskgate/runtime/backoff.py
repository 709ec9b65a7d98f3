"""Waits between attempts."""

import random


class Backoff:
    """Doubling waits with jitter, so that many workers don't reconnect at the same moment.

    The ceiling is low: a worker must work again seconds after the broker or Redis is back.
    """

    def __init__(self, first_s: float = 0.1, ceiling_s: float = 2.0) -> None:
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The next wait in seconds: between half of a step and a whole one."""
        step_s, self._next_s = self._next_s, min(self._next_s * 2, self._ceiling_s)
        return step_s * random.uniform(0.5, 1)

    def reset(self) -> None:
        """The attempt succeeded: the next wait is a short one."""
        self._next_s = self._first_s
