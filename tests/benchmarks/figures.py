"""Figures that are meaningful on a noisy machine.

Subjects are measured alternately; a figure is the median over the rounds with its spread, and a
ratio is taken within each round.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds: median, lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of ``values``, one per round."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def short(value: float) -> str:
    """Three significant digits, thousands in full: 0.0481, 12.3, 8,400."""
    digits = f"{value:.3g}"
    return f"{float(digits):,.0f}" if abs(value) >= 100 else digits


def ratios(values: Sequence[float], to: Sequence[float]) -> Spread:
    """Ratios round by round: a slow phase of the machine then affects both values."""
    return Spread.of([value / other for value, other in zip(values, to, strict=True)])


def alternately(
    rounds: int, subjects: Mapping[str, Callable[[], T]], tell: Callable[[str], None]
) -> dict[str, list[T]]:
    """Measure all subjects in turn, ``rounds`` times; returns one value per round and name."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    for turn in range(rounds):
        for name, measure in subjects.items():
            begun_s = time.monotonic()
            found[name].append(measure())
            tell(f"  {turn + 1}/{rounds} {name} ({time.monotonic() - begun_s:.0f} s)")
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: a figure, and its ratio to the reference."""

    name: str
    figure: Spread
    ratio: Spread | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One table. ``reference`` names the row that ratios refer to."""

    title: str
    unit: str
    note: str
    rows: list[Row]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A target, and the measured figure."""

    wanted: str
    figure: Spread
    limit: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether the median meets the limit."""
        return (
            self.figure.median >= self.limit if self.at_least else self.figure.median <= self.limit
        )


@dataclass(slots=True)
class Results:
    """Everything that one run measured."""

    rounds: int
    machine: dict[str, str]
    sections: list[Section] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def table(
        self,
        title: str,
        unit: str,
        values: Mapping[str, Sequence[float]],
        *,
        reference: str | None = None,
        note: str = "",
    ) -> None:
        """Add a table; with ``reference``, each row also has its ratio to that row."""
        rows = [
            Row(
                name,
                Spread.of(own),
                ratios(own, values[reference])
                if reference is not None and name != reference
                else None,
            )
            for name, own in values.items()
        ]
        self.sections.append(Section(title, unit, note, rows, reference))

    def claim(
        self,
        wanted: str,
        figure: Spread,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Add a target; ``at_least`` or ``at_most`` is its limit."""
        limit = at_least if at_least is not None else at_most
        if limit is None:
            msg = f"{wanted}: pass at_least or at_most"
            raise ValueError(msg)
        self.claims.append(Claim(wanted, figure, limit, at_least is not None))
