"""How good the model is on labelled samples: from counts in Redis to precision and recall with their intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: What the bank asks for.
TARGET = 0.98
_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """Hits of n, with the 95 % interval of the rate behind them. ``value`` is None where n is 0."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The rate that was seen."""
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
    """Accuracy, precision and recall, mask being the positive class, over the samples that were decided."""

    n: int
    uncertain: int
    unreadable: int
    accuracy: Share
    precision: Share
    recall: Share

    @property
    def below_target(self) -> list[str]:
        """The measures that miss the target even at the upper end of their interval."""
        shares = {"accuracy": self.accuracy, "precision": self.precision, "recall": self.recall}
        return [name for name, share in shares.items() if share.interval()[1] < TARGET]

    def fields(self) -> dict[str, object]:
        """As a log line says it."""
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
    """From the hash ``audit:{model}``: cells ``label.outcome``, with ``slice:`` before them for a slice's own."""
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
