"""A door without an end: people come one after the other or together, with pauses."""

import math
from bisect import bisect_right

import numpy as np

from maskgate.inference.image import Pixels
from producer.scenes.scene import Scene
from producer.scenes.scripts import (
    Script,
    mask_on_and_off,
    one_bare,
    one_masked,
    puts_mask_on,
    takes_mask_off,
    two_at_once,
)
from producer.scenes.truth import Seen

#: The first visits show everything once; then chance decides.
_FIRST: tuple[Script, ...] = (mask_on_and_off, two_at_once, takes_mask_off, one_masked)
_LATER: tuple[Script, ...] = (*_FIRST, puts_mask_on, one_bare)
_PAUSE_S = (0.5, 2.5)


class Everyday:
    """Visits one after the other in one room, without an end.

    It remembers one visit and the times at which visits began. The next visit is drawn when its
    time comes, a time before the last visit draws that visit again.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._starts = [0.0]
        self._number, self._scene = 0, self._visit(0)

    @property
    def duration_s(self) -> float:
        """Infinite."""
        return math.inf

    def frame(self, t_s: float) -> Pixels:
        """The picture at a time, uint8 RGB (480, 640, 3)."""
        scene, since_s = self._at(t_s)
        return scene.frame(t_s - since_s)

    def truth(self, t_s: float) -> list[Seen]:
        """Everybody whose face is at least partly inside the picture."""
        scene, since_s = self._at(t_s)
        return scene.truth(t_s - since_s)

    def _at(self, t_s: float) -> tuple[Scene, float]:
        while t_s >= self._starts[-1]:
            self._go_to(len(self._starts) - 1)
            pause_s = np.random.default_rng((self._seed, len(self._starts))).uniform(*_PAUSE_S)
            self._starts.append(self._starts[-1] + self._scene.duration_s + float(pause_s))
        self._go_to(bisect_right(self._starts, t_s) - 1)
        return self._scene, self._starts[self._number]

    def _go_to(self, number: int) -> None:
        if number != self._number:
            self._number, self._scene = number, self._visit(number)

    def _visit(self, number: int) -> Scene:
        rng = np.random.default_rng((self._seed, number))
        script = _FIRST[number] if number < len(_FIRST) else _LATER[rng.integers(len(_LATER))]
        return script(int(rng.integers(2**31)), self._seed)
