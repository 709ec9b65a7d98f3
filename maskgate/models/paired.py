"""Champion and challenger on the same labelled samples: is the challenger better?

Only samples that one of them decides rightly and the other does not tell them apart (McNemar,
Psychometrika 12, 1947); of so few, the exact binomial probability is computed. The interval of the
difference adds half a sample to each of the four cells (Agresti and Min, Statistics in Medicine 24,
2005).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maskgate.protocol.crop import Label
from maskgate.protocol.verdict import Outcome

#: The page is looked at again and again, so that one in twenty would soon be found by chance.
ALPHA = 0.01
_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Paired:
    """How many samples both, one or neither of two models decided rightly."""

    both: int = 0
    champion_only: int = 0
    challenger_only: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        """All samples."""
        return self.both + self.champion_only + self.challenger_only + self.neither

    @property
    def champion(self) -> float:
        """The champion's share of samples decided rightly; NaN without samples."""
        return (self.both + self.champion_only) / self.n if self.n else math.nan

    @property
    def challenger(self) -> float:
        """The challenger's share; NaN without samples."""
        return (self.both + self.challenger_only) / self.n if self.n else math.nan

    @property
    def p_value(self) -> float:
        """McNemar's exact test, two-sided: 1 if the models never differ."""
        fewer, differing = (
            min(self.champion_only, self.challenger_only),
            self.champion_only + self.challenger_only,
        )
        # In logarithms: 2**-differing is 0 from 1,075 on.
        log_half = differing * math.log(2)
        tail = math.fsum(math.exp(_log_choose(differing, k) - log_half) for k in range(fewer + 1))
        return min(1.0, 2 * tail)

    def difference(self) -> tuple[float, float, float]:
        """The challenger's share minus the champion's, with its 95 % interval: value, low, high."""
        if not self.n:
            return math.nan, -1.0, 1.0
        n = self.n + 2
        lost, won = self.champion_only + 0.5, self.challenger_only + 0.5
        middle = (won - lost) / n
        spread = _Z_95 * math.sqrt(won + lost - (won - lost) ** 2 / n) / n
        value = (self.challenger_only - self.champion_only) / self.n
        return value, max(-1.0, middle - spread), min(1.0, middle + spread)

    @property
    def is_better(self) -> bool:
        """Whether the challenger is, beyond chance."""
        return self.challenger_only > self.champion_only and self.p_value < ALPHA

    @property
    def is_worse(self) -> bool:
        """Whether the challenger is, beyond chance."""
        return self.challenger_only < self.champion_only and self.p_value < ALPHA


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the labelled samples say of a challenger.

    right: the outcome is the label; ``uncertain`` is not right.
    masks: samples with a mask that were not called bare. A door may open for those that were.
    """

    right: Paired
    masks: Paired

    @property
    def decision(self) -> str:
        """``better``, ``not shown`` or ``worse``. One that misses more masks is never better."""
        if self.right.is_worse or self.masks.is_worse:
            return "worse"
        return "better" if self.right.is_better else "not shown"

    @property
    def text(self) -> str:
        """The decision with its figures, for people."""
        if not self.right.n:
            return "not shown: no labelled sample was classified by both"
        value, low, high = (100 * each for each in self.right.difference())
        masked = (
            f" It missed {self.masks.champion_only} masks that the champion found, and found "
            f"{self.masks.challenger_only} that the champion missed."
        )
        return (
            f"{self.decision}: the challenger decides {self.right.challenger:.1%} rightly, the "
            f"champion {self.right.champion:.1%}; {value:+.1f} points (95 %: {low:+.1f} to "
            f"{high:+.1f}), n = {self.right.n:,}. Only the challenger was right in "
            f"{self.right.challenger_only} samples, only the champion in "
            f"{self.right.champion_only}: p = {self.right.p_value:.2g}.{masked}"
        )


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Live crops of one camera that both classified.

    ``differ``: another outcome. ``opposed``: mask against no mask.
    """

    camera: str
    n: int
    differ: int
    opposed: int


def compare(cells: Mapping[str, int]) -> Comparison:
    """From counts of ``label.champion_outcome.challenger_outcome``. Other cells are ignored."""
    return Comparison(
        right=_paired(cells, tuple(Label), lambda label, outcome: label == outcome),
        masks=_paired(cells, (Label.MASK,), lambda _, outcome: outcome != Outcome.NO_MASK),
    )


def disagreements(cells: Mapping[str, int]) -> list[Disagreement]:
    """From counts of ``camera.champion_outcome.challenger_outcome``: the cameras that differ most.

    A cell that is something else is ignored.
    """
    found: dict[str, list[int]] = {}
    for cell, count in cells.items():
        camera, one, other = (*cell.split("."), "", "")[:3]
        if not other:
            continue
        counts = found.setdefault(camera, [0, 0, 0])
        counts[0] += count
        counts[1] += count if one != other else 0
        counts[2] += count if {one, other} == {Outcome.MASK, Outcome.NO_MASK} else 0
    listed = [Disagreement(camera, *counts) for camera, counts in found.items()]
    return sorted(listed, key=lambda each: (-each.differ / each.n, each.camera))


def _paired(
    cells: Mapping[str, int], labels: tuple[Label, ...], is_right: Callable[[str, str], bool]
) -> Paired:
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for cell, count in cells.items():
        label, champion, challenger = (*cell.split("."), "", "")[:3]
        if label in labels and challenger:
            counts[is_right(label, champion), is_right(label, challenger)] += count
    return Paired(
        counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
