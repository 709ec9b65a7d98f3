"""What labelled samples say about a model, from the counts of one window in Redis."""

from collections.abc import Mapping
from dataclasses import dataclass

from maskgate.audit.share import Share, Weights
from maskgate.protocol.audit import SQUARE, WEIGHT

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

Cells = tuple[str, ...]
_HIT: Cells = ("mask.mask",)
_RIGHT: Cells = (*_HIT, "no_mask.no_mask")
_MASKED: Cells = (*_HIT, "mask.no_mask")
_DECIDED: Cells = (*_RIGHT, "mask.no_mask", "no_mask.mask")
_UNCERTAIN: Cells = ("mask.uncertain", "no_mask.uncertain")
_UNREADABLE: Cells = ("unreadable", "mask.unreadable", "no_mask.unreadable")
_ALL: Cells = (*_DECIDED, *_UNCERTAIN, *_UNREADABLE)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The measures of one window. ``mask`` is the positive class. Counts are of samples.

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
            if share.effective_n >= ALARM_MIN_N and share.interval(ALARM_Z)[1] < TARGETS[name]
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
            if share.weights is not None:
                line[f"{name}_n_effective"] = round(share.effective_n, 1)
            line[f"{name}_ci95"] = [round(limit, 4) for limit in share.interval()]
        return line


def report(counts: Mapping[str, float], slice_name: str | None = None) -> AuditReport:
    """Compute the report of a window, or of one slice in it.

    The counts are by cell: see :mod:`maskgate.protocol.audit`.
    """
    prefix = f"{slice_name}:" if slice_name else ""

    def total(cells: Cells, what: str = "") -> float:
        return sum(counts.get(prefix + cell + what, 0) for cell in cells)

    def share(hits: Cells, of: Cells) -> Share:
        n_hits, n = int(total(hits)), int(total(of))
        more, squares = total(of, WEIGHT), total(of, SQUARE)
        if not n or not (more or squares):
            return Share(n_hits, n)  # every sample counts one
        return Share(n_hits, n, Weights(n_hits + total(hits, WEIGHT), n + more, n + squares))

    shares = {
        "coverage": share(_DECIDED, _ALL),
        "accuracy": share(_RIGHT, _DECIDED),
        "precision": share(_HIT, (*_HIT, "no_mask.mask")),
        "recall": share(_HIT, _MASKED),
        "recall_all": share(_HIT, (*_MASKED, "mask.uncertain", "mask.unreadable")),
    }
    return AuditReport(int(total(_ALL)), int(total(_UNCERTAIN)), int(total(_UNREADABLE)), shares)


def slices(counts: Mapping[str, float]) -> list[str]:
    """The slices that have counts."""
    return sorted({cell.partition(":")[0] for cell in counts if ":" in cell})
