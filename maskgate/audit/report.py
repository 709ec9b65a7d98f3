"""What labelled samples say about a model, from the counts of one window in Redis."""

from collections.abc import Mapping
from dataclasses import dataclass

from maskgate.audit.share import Share

#: The bank requires this of accuracy, precision and recall.
TARGET = 0.98
#: The shipped model decides 94 to 96 % of the crops at new doors (its card).
COVERAGE_TARGET = 0.90
TARGETS = {
    "coverage": COVERAGE_TARGET,
    "accuracy": TARGET,
    "precision": TARGET,
    "recall": TARGET,
    # At both targets, this is the share of masked faces that are called masked.
    "recall_all": round(TARGET * COVERAGE_TARGET, 4),
}
#: A measure is below its target if Wilson's interval of this many standard deviations is. It is
#: wide, because the windows are judged again and again: docs/adr/0035.
ALARM_Z = 4.0
#: With fewer samples the interval is too narrow.
ALARM_MIN_N = 100


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The measures of one window. ``mask`` is the positive class.

    coverage: share of the ``n`` samples that are neither ``uncertain`` nor ``unreadable``: decided.
    accuracy, precision, recall: of the decided ones.
    recall_all: share of all masked faces that were called masked.
    """

    n: int
    uncertain: int
    unreadable: int
    shares: Mapping[str, Share]

    @property
    def below_target(self) -> list[str]:
        """The measures that are below their target, beyond chance."""
        return [
            name
            for name, share in self.shares.items()
            if share.n >= ALARM_MIN_N and share.interval(ALARM_Z)[1] < TARGETS[name]
        ]

    def fields(self) -> dict[str, object]:
        """The fields of a log line."""
        line: dict[str, object] = {
            "n": self.n,
            "uncertain": self.uncertain,
            "unreadable": self.unreadable,
        }
        for name, share in self.shares.items():
            line[name] = None if share.value is None else round(share.value, 4)
            line[f"{name}_n"] = share.n
            line[f"{name}_ci95"] = [round(limit, 4) for limit in share.interval()]
        return line


def report(counts: Mapping[str, int], slice_name: str | None = None) -> AuditReport:
    """Compute the report of a window, or of one slice in it.

    The counts are by cell: see :mod:`maskgate.protocol.audit`.
    """
    prefix = f"{slice_name}:" if slice_name else ""

    def count(*cells: str) -> int:
        return sum(counts.get(prefix + cell, 0) for cell in cells)

    hits, right = count("mask.mask"), count("mask.mask", "no_mask.no_mask")
    decided = right + count("mask.no_mask", "no_mask.mask")
    masked = count("mask.mask", "mask.no_mask")
    uncertain = count("mask.uncertain", "no_mask.uncertain")
    unreadable = count("unreadable", "mask.unreadable", "no_mask.unreadable")
    n = decided + uncertain + unreadable
    shares = {
        "coverage": Share(decided, n),
        "accuracy": Share(right, decided),
        "precision": Share(hits, count("mask.mask", "no_mask.mask")),
        "recall": Share(hits, masked),
        "recall_all": Share(hits, masked + count("mask.uncertain", "mask.unreadable")),
    }
    return AuditReport(n, uncertain, unreadable, shares)


def slices(counts: Mapping[str, int]) -> list[str]:
    """The slices that have counts."""
    return sorted({cell.partition(":")[0] for cell in counts if ":" in cell})
