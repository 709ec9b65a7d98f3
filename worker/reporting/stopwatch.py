"""How long each stage of a batch took."""

import time


class Stopwatch:
    """Starts when it is made; each lap ends one stage and begins the next."""

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._since_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now_s = time.perf_counter()
        self.laps_s[stage] = now_s - self._since_s
        self._since_s = now_s
