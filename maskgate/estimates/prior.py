"""The share of masks at a door, and what it does to calibrated probabilities.

A probability is calibrated for one share of masks. At a door with another share, the odds of a mask
are larger or smaller by a factor: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a
Classifier to New a Priori Probabilities", Neural Computation 14, 2002. The share itself is the one
under which the probabilities that were seen are the most likely, as there; their expectation
maximisation and the bisection here have the same result, because the likelihood has one maximum.
"""

import math
from collections.abc import Sequence

from maskgate.protocol.scores import MIDDLES

#: No door is believed to have only masks, or none.
_LOWEST, _HIGHEST = 1e-4, 1 - 1e-4
_STEPS = 20
_ODDS = tuple(map(math.exp, MIDDLES))


def share_of_masks(histogram: Sequence[int], calibrated_share: float) -> float:
    """The likeliest share of masks among crops, from their number in each bin.

    ``calibrated_share`` is the share for which the probabilities are calibrated; it is the answer
    where there are no crops.
    """
    if not any(histogram):
        return calibrated_share
    ratios = [odds / _odds(calibrated_share) for odds in _ODDS]
    low, high = _LOWEST, _HIGHEST
    for _ in range(_STEPS):
        share = (low + high) / 2
        slope = sum(
            n * (ratio - 1) / (share * ratio + 1 - share)
            for n, ratio in zip(histogram, ratios, strict=True)
            if n
        )
        low, high = (share, high) if slope > 0 else (low, share)
    return (low + high) / 2


def adjusted(share: float, calibrated_share: float) -> list[float]:
    """The probability of a mask in each bin, where this is the share of masks."""
    factor = _odds(share) / _odds(calibrated_share)
    return [odds * factor / (1 + odds * factor) for odds in _ODDS]


def _odds(share: float) -> float:
    return share / (1 - share)
