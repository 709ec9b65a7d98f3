"""Precision and recall on labelled samples, with confidence intervals, from counts in Redis."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The bank requires this of accuracy, precision and recall.
TARGET = 0.98
_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``, and the 95 % confidence interval of the rate."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The observed rate; None if n is 0."""
        return self.hits / self.n if self.n else None

    def interval(self) -> tuple[float, float]:
        """Wilson's score interval at 95 % (E. B. Wilson, JASA 22, 1927)."""
        if not self.n:
            return 0.0, 1.0
        rate, z2 = self.hits / self.n, _Z_95**2
        middle = rate + z2 / (2 * self.n)
        spread = _Z_95 * math.sqrt(rate * (1 - rate) / self.n + z2 / (4 * self.n**2))
        scale = 1 + z2 / self.n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Accuracy, precision and recall over the classified samples that are not ``uncertain``.

    ``mask`` is the positive class.
    """

    n: int
    uncertain: int
    unreadable: int
    accuracy: Share
    precision: Share
    recall: Share

    @property
    def below_target(self) -> list[str]:
        """The measures whose whole interval is below the target."""
        shares = {"accuracy": self.accuracy, "precision": self.precision, "recall": self.recall}
        return [name for name, share in shares.items() if share.interval()[1] < TARGET]

    def fields(self) -> dict[str, object]:
        """The fields of a log line."""
        line: dict[str, object] = {
            "n": self.n,
            "uncertain": self.uncertain,
            "unreadable": self.unreadable,
        }
        for name, share in (
            ("accuracy", self.accuracy),
            ("precision", self.precision),
            ("recall", self.recall),
        ):
            low, high = share.interval()
            line[name] = None if share.value is None else round(share.value, 4)
            line[f"{name}_n"] = share.n
            line[f"{name}_ci95"] = [round(low, 4), round(high, 4)]
        return line


def report(counts: Mapping[str, int], slice_name: str | None = None) -> AuditReport:
    """Compute the report from the fields of the hash ``audit:{model}``.

    A field is ``label.outcome``, or ``slice:label.outcome`` for one slice.
    """
    prefix = f"{slice_name}:" if slice_name else ""

    def cell(name: str) -> int:
        return counts.get(prefix + name, 0)

    true_positives, false_negatives = cell("mask.mask"), cell("mask.no_mask")
    true_negatives, false_positives = cell("no_mask.no_mask"), cell("no_mask.mask")
    uncertain = cell("mask.uncertain") + cell("no_mask.uncertain")
    decided = true_positives + false_negatives + true_negatives + false_positives
    return AuditReport(
        n=decided + uncertain,
        uncertain=uncertain,
        unreadable=cell("unreadable") + cell("mask.unreadable") + cell("no_mask.unreadable"),
        accuracy=Share(true_positives + true_negatives, decided),
        precision=Share(true_positives, true_positives + false_positives),
        recall=Share(true_positives, true_positives + false_negatives),
    )


def slices(counts: Mapping[str, int]) -> list[str]:
    """The slices that have counts."""
    return sorted({cell.partition(":")[0] for cell in counts if ":" in cell})
