"""Measures as the page's words: a cell of a table with its interval, and whether it is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from desk.precision.reader import Named
from maskgate.audit.report import TARGETS
from maskgate.audit.share import Share
from maskgate.estimates.performance import Estimate, Measure

#: The columns, in their order, and what they are.
MEASURES = {
    "precision": "of those called masked, how many are",
    "recall": "of the masked that were decided, how many were found",
    "accuracy": "of the decided, how many are right",
    "coverage": "of all samples, how many were decided",
    "recall_all": "of all masked, how many were found",
}
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A measure: its value, its 95 % interval, and of how many samples.

    ``state`` is ``met`` if the whole interval reaches the target, ``below`` if none of it does.
    """

    measure: str
    value: str
    interval: str = ""
    n: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table."""

    name: str
    n: str
    cells: Sequence[Cell]


def line(named: Named) -> Line:
    """The row of a window, a day, a slice, a camera or a model."""
    shares = named.report.shares
    cells = [_cell(measure, shares[measure]) for measure in MEASURES]
    return Line(named.name, f"{named.report.n:,}", cells)


def lines(parts: Sequence[Named]) -> list[Line]:
    """The rows of the parts that have samples."""
    return [line(part) for part in parts if part.report.n]


def expected_line(name: str, found: Estimate) -> Line:
    """The row of what is expected without labels."""
    measures = found.by_name()
    cells = [_expected(measure, measures.get(measure)) for measure in MEASURES]
    return Line(name, f"{found.crops:,} crops", cells)


def targets() -> Mapping[str, str]:
    """The target of each measure."""
    return {measure: percent(TARGETS[measure]) for measure in MEASURES}


def percent(share: float) -> str:
    """A share in per cent: two digits where 99.95 must not look like 100."""
    return f"{share * 100:.2f} %" if 0.999 <= share < 1 else f"{share * 100:.1f} %"


def state(low: float, high: float, target: float) -> str:
    """Whether an interval lies above the target (``met``), under it (``below``) or around it."""
    return "met" if low >= target else "below" if high < target else ""


def _cell(measure: str, share: Share) -> Cell:
    if share.value is None:
        return Cell(measure, _NONE)
    low, high = share.interval()
    return Cell(
        measure,
        percent(share.value),
        _interval(low, high),
        _of(share),
        state(low, high, TARGETS[measure]),
    )


def _of(share: Share) -> str:
    if share.weights is None:
        return f"{share.hits:,} of {share.n:,}"
    return f"{share.n:,} weighted, as good as {share.effective_n:,.0f}"


def _expected(measure: str, found: Measure | None) -> Cell:
    if found is None or found.value is None:
        return Cell(measure, _NONE)
    within = state(found.low, found.high, TARGETS[measure])
    return Cell(measure, percent(found.value), _interval(found.low, found.high), "", within)


def _interval(low: float, high: float) -> str:
    return f"{low * 100:.1f} to {high * 100:.1f}"
