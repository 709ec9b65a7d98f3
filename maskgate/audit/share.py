"""A rate that was observed on n samples, and how far the true one can be from it."""

import math
from dataclasses import dataclass

#: Standard deviations of a 95 % interval.
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Weights:
    """Sums over samples that stand for more than themselves: of the hits' weights, and of all."""

    hits: float
    total: float
    #: Of the squares of all weights.
    squares: float


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``. With weights, the estimated share of what the samples stand for."""

    hits: int
    n: int
    weights: Weights | None = None

    @property
    def value(self) -> float | None:
        """The observed rate, None if n is 0; with weights the ratio of their sums (Hájek, 1971)."""
        if self.weights is not None:
            return min(1.0, max(0.0, self.weights.hits / self.weights.total))
        return self.hits / self.n if self.n else None

    @property
    def effective_n(self) -> float:
        """As many samples of equal weight tell as much: (Σw)²/Σw² (Kish, Survey Sampling, 1965)."""
        return self.n if self.weights is None else self.weights.total**2 / self.weights.squares

    def interval(self, z: float = Z_95) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, JASA 22, 1927), by default at 95 %.

        With weights, of the weighted rate and the effective number of samples.
        """
        rate, n = self.value, self.effective_n
        if rate is None:
            return 0.0, 1.0
        z2 = z**2
        middle = rate + z2 / (2 * n)
        spread = z * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n**2))
        scale = 1 + z2 / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
