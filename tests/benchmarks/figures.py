"""Figures that mean something on a noisy machine: measured alternately, medians over rounds with their spread, ratios within a round."""

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
        """Of one value a round."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def short(value: float) -> str:
    """Three significant digits, thousands in full: 0.0481, 12.3, 8,400."""
    digits = f"{value:.3g}"
    return f"{float(digits):,.0f}" if abs(value) >= 100 else digits


def ratios(values: Sequence[float], to: Sequence[float]) -> Spread:
    """Round by round, so that what slows the machine down for a while slows both."""
    return Spread.of([value / other for value, other in zip(values, to, strict=True)])


def alternately(
    rounds: int, subjects: Mapping[str, Callable[[], T]], tell: Callable[[str], None]
) -> dict[str, list[T]]:
    """One after the other, and all of them again, so many rounds."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    for turn in range(rounds):
        for name, measure in subjects.items():
            begun_s = time.monotonic()
            found[name].append(measure())
            tell(f"  {turn + 1}/{rounds} {name} ({time.monotonic() - begun_s:.0f} s)")
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a figure, and beside what it stands."""

    name: str
    figure: Spread
    ratio: Spread | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One table. ``reference`` is the row that ratios are to."""

    title: str
    unit: str
    note: str
    rows: list[Row]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is wanted, and what came out."""

    wanted: str
    figure: Spread
    limit: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether the median is on the right side."""
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
        """A table of what was measured alternately; with a reference, also how many times that each is."""
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
        """Something that is wanted: at least or at most so much."""
        limit = at_least if at_least is not None else at_most
        if limit is None:
            msg = f"{wanted}: at least or at most what?"
            raise ValueError(msg)
        self.claims.append(Claim(wanted, figure, limit, at_least is not None))
