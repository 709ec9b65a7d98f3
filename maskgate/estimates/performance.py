"""Precision without labels: confidence-based performance estimation (CBPE).

A calibrated probability says how often a decision is wrong. Of a crop that was called ``mask`` with
.97, .97 are expected to be a mask and .03 not; the sum over all crops is the expected confusion
matrix. See NannyML's documentation, "How it works: performance estimation", and Bialek, Kuberski,
Perrakis and Bifet, "Estimating Model Performance Under Covariate Shift Without Labels",
arXiv:2401.08348. Before that, the probabilities are moved to the share of masks at the door
(:mod:`maskgate.estimates.prior`): without it, recall was five points off where few wear one.

The estimate is as good as the calibration: at a door with other light, other masks or other faces
than the model's reference it can be off, and nothing in it says so. Audit samples do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from maskgate.estimates.prior import adjusted, share_of_masks
from maskgate.protocol.scores import MIDDLES, Scores
from maskgate.protocol.verdict import Outcome

#: Standard deviations of a 95 % interval.
Z_95 = 1.959963984540054
#: A share of fewer expected crops is not defined: recall where nobody wears a mask.
_LEAST = 0.5
_UNADJUSTED = tuple(1 / (1 + math.exp(-middle)) for middle in MIDDLES)


@dataclass(frozen=True, slots=True)
class Measure:
    """An expected share; None if nothing was decided. ``low`` and ``high`` are its interval."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Numbers of decided crops, by what was said and what is expected to be true."""

    true_mask: float
    false_mask: float
    true_no_mask: float
    false_no_mask: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected measures of decided crops, coverage, and what they are from.

    The intervals (Wilson, 95 %) are those of as many independent crops as there were visits: the
    crops of one visit show one face and are right or wrong together. They hold the chance of who
    came, and not errors of the calibration.
    """

    crops: int
    visits: int
    share_of_masks: float
    coverage: Measure
    accuracy: Measure
    precision: Measure
    recall: Measure

    def by_name(self) -> dict[str, Measure]:
        """Coverage, accuracy, precision and recall."""
        names = ("coverage", "accuracy", "precision", "recall")
        return {name: getattr(self, name) for name in names}


def estimate(scores: Scores, calibrated_share: float = 0.5) -> Estimate:
    """What is expected of these crops; ``calibrated_share`` is that of the model's card."""
    share = share_of_masks(scores.histogram, calibrated_share)
    return _estimate(scores, share, expected_confusion(scores, share, calibrated_share))


def unadjusted_estimate(scores: Scores) -> Estimate:
    """The same for probabilities that are right as they are, whatever the share of masks."""
    masks = sum(scores.p_sums.values())
    return _estimate(scores, masks / max(scores.crops, 1), _confusion(scores))


def expected_confusion(scores: Scores, share: float, calibrated_share: float) -> Confusion:
    """The expected confusion matrix where this is the share of masks.

    The sums of probabilities are exact. The bins only say by which factor the other share makes the
    expected errors larger or smaller.
    """
    moved, plain = adjusted(share, calibrated_share), _confusion(scores)
    false_mask = plain.false_mask * _ratio(
        scores.counts[Outcome.MASK],
        [1 - p for p in moved],
        [1 - p for p in _UNADJUSTED],
    )
    false_no_mask = plain.false_no_mask * _ratio(scores.counts[Outcome.NO_MASK], moved, _UNADJUSTED)
    return _with_errors(scores, false_mask, false_no_mask)


def _confusion(scores: Scores) -> Confusion:
    called = scores.n(Outcome.MASK)
    return _with_errors(
        scores, called - scores.p_sums[Outcome.MASK], scores.p_sums[Outcome.NO_MASK]
    )


def _with_errors(scores: Scores, false_mask: float, false_no_mask: float) -> Confusion:
    mask, no_mask = scores.n(Outcome.MASK), scores.n(Outcome.NO_MASK)
    false_mask, false_no_mask = _within(false_mask, mask), _within(false_no_mask, no_mask)
    return Confusion(mask - false_mask, false_mask, no_mask - false_no_mask, false_no_mask)


def _ratio(counts: Sequence[int], moved: Sequence[float], plain: Sequence[float]) -> float:
    """The sum over crops of ``moved``, divided by that of ``plain``; both are by bin."""
    below = sum(map(mul, counts, plain))
    return sum(map(mul, counts, moved)) / below if below else 1.0


def _within(value: float, highest: float) -> float:
    return min(max(value, 0.0), highest)


def _estimate(scores: Scores, share: float, confusion: Confusion) -> Estimate:
    right = confusion.true_mask + confusion.true_no_mask
    decided = right + confusion.false_mask + confusion.false_no_mask
    independent = min(1.0, max(scores.visits, 1) / max(scores.crops, 1))

    def measure(part: float, whole: float) -> Measure:
        return wilson(part, whole, independent)

    return Estimate(
        crops=scores.crops,
        visits=scores.visits,
        share_of_masks=share,
        coverage=measure(decided, scores.crops),
        accuracy=measure(right, decided),
        precision=measure(confusion.true_mask, confusion.true_mask + confusion.false_mask),
        recall=measure(confusion.true_mask, confusion.true_mask + confusion.false_no_mask),
    )


def wilson(part: float, whole: float, independent: float = 1.0, z: float = Z_95) -> Measure:
    """The share ``part / whole``, and Wilson's score interval (JASA 22, 1927).

    ``independent`` is the share of ``whole`` that counts as independent observations: L. Kish,
    "Survey Sampling", 1965, calls its inverse the design effect.
    """
    if whole < _LEAST:
        return Measure(None, 0.0, 1.0)
    rate, n, z2 = part / whole, whole * independent, z**2
    middle = rate + z2 / (2 * n)
    spread = z * math.sqrt(max(rate * (1 - rate), 0.0) / n + z2 / (4 * n**2))
    scale = 1 + z2 / n
    return Measure(rate, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))
