"""A rate that was observed on n samples, and how far the true one can be from it."""

import math
from dataclasses import dataclass

#: Standard deviations of a 95 % interval.
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The observed rate; None if n is 0."""
        return self.hits / self.n if self.n else None

    def interval(self, z: float = Z_95) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, JASA 22, 1927), by default at 95 %."""
        if not self.n:
            return 0.0, 1.0
        rate, z2 = self.hits / self.n, z**2
        middle = rate + z2 / (2 * self.n)
        spread = z * math.sqrt(rate * (1 - rate) / self.n + z2 / (4 * self.n**2))
        scale = 1 + z2 / self.n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
