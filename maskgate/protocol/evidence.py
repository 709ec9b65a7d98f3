"""What a track's crops say together: the evidence that a door decides by.

The evidence is the mean log-odds of a mask over the latest crops of a track. Log-odds add up where
probabilities don't, as in Wald's sequential test (Annals of Mathematical Statistics 16, 1945); the
mean, and not the sum, because crops of one face a moment apart repeat each other's errors. Three
things keep it honest: a crop counts at most :data:`LIMIT`, a crop counts half after
:data:`HALF_LIFE_MS`, and :data:`PRIOR` undecided crops are counted along, so that a single crop
decides only if it is very clear. ``maskgate/redis_functions/verdicts.lua`` computes the same.
"""

import math
from collections.abc import Sequence

#: The most that a single crop says, in log-odds: a p_mask of .0067 or .9933.
LIMIT = 5.0
#: How many undecided crops, of log-odds 0, are counted along.
PRIOR = 1.0
#: After this time a crop counts half.
HALF_LIFE_MS = 350
#: How many crops of a track are counted; older ones weigh nothing at a camera's rate.
CROPS = 16
#: What a door asks for, unless told otherwise. docs/speed.md: chosen on simulated visits.
MIN_EVIDENCE = 2.0


def evidence(crops: Sequence[tuple[int, float]]) -> float:
    """The mean log-odds of a mask; positive for a mask, negative for a bare face.

    ``crops`` are pairs of capture time in milliseconds and p_mask, in any order, at most one for
    each time; empty gives 0.
    """
    latest = sorted(crops, reverse=True)[:CROPS]
    weights: list[float] = [0.5 ** ((latest[0][0] - at_ms) / HALF_LIFE_MS) for at_ms, _ in latest]
    said = [bounded_log_odds(p_mask) for _, p_mask in latest]
    weighted = sum(weight * log_odds for weight, log_odds in zip(weights, said, strict=True))
    return weighted / (PRIOR + sum(weights))


def bounded_log_odds(p_mask: float) -> float:
    """The log-odds of a probability, within ±:data:`LIMIT`."""
    if not 0 < p_mask < 1:
        return LIMIT if p_mask >= 1 else -LIMIT
    return max(-LIMIT, min(LIMIT, math.log(p_mask / (1 - p_mask))))
