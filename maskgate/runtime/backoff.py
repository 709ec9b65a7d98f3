"""How long to wait before trying again."""

import random


class Backoff:
    """Doubling waits with jitter, so that many workers don't return in step.

    The ceiling is low: whoever waits must be back at work seconds after the broker or Redis is.
    """

    def __init__(self, first_s: float = 0.1, ceiling_s: float = 2.0) -> None:
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The next wait in seconds: half to the whole of a step."""
        step_s, self._next_s = self._next_s, min(self._next_s * 2, self._ceiling_s)
        return step_s * random.uniform(0.5, 1)

    def reset(self) -> None:
        """It worked: start small again next time."""
        self._next_s = self._first_s
