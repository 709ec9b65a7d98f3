"""Whether the probabilities at a camera are distributed as at the model's reference.

The population stability index (PSI) compares two distributions over bins: Siddiqi, "Credit Risk
Scorecards", 2006. Its usual bounds are .1 and .25. They say nothing about chance, so a third one
does: without a shift, PSI is distributed as chi-square times ``1/n + 1/m`` (Yurdakul and Naranjo,
"Statistical properties of the population stability index", Journal of Risk Model Validation, 2020).
``n`` are visits and not crops, because the crops of a visit resemble each other.

The reference has one distribution for masked and one for bare faces. They are mixed with the share
of masks at the door, because that share is no drift: at a door where few wear a mask, PSI against
the reference as it is was above 4, and against the mixture .1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maskgate.estimates.prior import share_of_masks
from maskgate.inference.card import ReferenceScores
from maskgate.protocol.scores import BINS, Scores

#: Less than the first is no shift; from the second on it is one.
SOME_SHIFT, SHIFT = 0.1, 0.25
#: Fewer are not judged.
MIN_CROPS, MIN_VISITS = 200, 100
#: Standard deviations: cameras are judged again and again, as the audit's windows are.
_CHANCE_Z = 4.0
#: Where probabilities of .011 to .989 are: how much surer a model is does not matter.
_DOUBT = slice(4, BINS - 4)
#: Bins in which less is expected are joined with their neighbours.
_LEAST_EXPECTED = 0.02


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the scores of a period are from the reference.

    ``limit`` is what PSI must reach to be a shift: .25, or more if chance alone reaches that.
    ``doubtful`` and ``doubtful_expected`` are the shares of probabilities from .011 to .989.
    """

    psi: float
    limit: float
    share_of_masks: float
    doubtful: float
    doubtful_expected: float

    @property
    def is_alarming(self) -> bool:
        """Whether the scores have shifted, and towards doubt: a camera may well be easier."""
        return self.psi >= self.limit and self.doubtful > self.doubtful_expected


def drift(scores: Scores, reference: ReferenceScores) -> Drift | None:
    """Compare a period's scores with the reference; None if there are too few to judge."""
    if scores.crops < MIN_CROPS or scores.visits < MIN_VISITS:
        return None
    histogram = scores.histogram
    share = share_of_masks(histogram, reference.calibrated_share)
    expected = mixture(reference, share)
    shares, counts = joined(_without_ends(expected), _without_ends(histogram))
    visits = min(scores.visits, scores.crops)
    of_reference = share**2 / sum(reference.mask) + (1 - share) ** 2 / sum(reference.no_mask)
    chance = _chi_square(len(shares) - 1) * (1 / visits + of_reference)
    return Drift(
        psi=population_stability_index(shares, counts),
        limit=max(SHIFT, chance),
        share_of_masks=share,
        doubtful=sum(histogram[_DOUBT]) / scores.crops,
        doubtful_expected=sum(expected[_DOUBT]),
    )


def _without_ends(values: Sequence[float]) -> list[float]:
    """The same by bin, with one bin for everything below the doubtful ones and one above."""
    return [sum(values[: _DOUBT.start]), *values[_DOUBT], sum(values[_DOUBT.stop :])]


def mixture(reference: ReferenceScores, share: float) -> list[float]:
    """The expected share of crops in each bin, where this is the share of masks.

    Half an image is added to each bin: what the reference did not have is rare, not impossible.
    """
    masks, bare = sum(reference.mask) + BINS / 2, sum(reference.no_mask) + BINS / 2
    return [
        share * (mask + 0.5) / masks + (1 - share) * (no_mask + 0.5) / bare
        for mask, no_mask in zip(reference.mask, reference.no_mask, strict=True)
    ]


def population_stability_index(expected: Sequence[float], counts: Sequence[float]) -> float:
    """The PSI of counts against expected shares, both by bin. An empty bin has half a crop."""
    n = sum(counts)
    found = [max(count, 0.5) / n for count in counts]
    both = zip(found, expected, strict=True)
    return sum((share - wanted) * math.log(share / wanted) for share, wanted in both)


def joined(expected: Sequence[float], counts: Sequence[float]) -> tuple[list[float], list[float]]:
    """The same with fewer bins, so that at least 2 % are expected in each."""
    shares, numbers, share, number = list[float](), list[float](), 0.0, 0.0
    for one, count in zip(expected, counts, strict=True):
        share, number = share + one, number + count
        if share >= _LEAST_EXPECTED:
            shares.append(share)
            numbers.append(number)
            share, number = 0.0, 0.0
    shares[-1] += share
    numbers[-1] += number
    return shares, numbers


def _chi_square(freedom: int) -> float:
    """The quantile of chi-square that chance exceeds as rarely as ``_CHANCE_Z``.

    Wilson and Hilferty, "The Distribution of Chi-square", 1931.
    """
    degrees = float(max(freedom, 1))
    part = 2 / (9 * degrees)
    root = 1 - part + _CHANCE_Z * math.sqrt(part)
    return degrees * root * root * root
