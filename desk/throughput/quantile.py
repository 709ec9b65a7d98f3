"""A quantile from the counts of a histogram."""

import math
from collections.abc import Mapping


def quantile(up_to: Mapping[float, float], q: float) -> float | None:
    """The value below which the share ``q`` of the observations lies; None without observations.

    ``up_to`` has for each limit how many observations are not above it, and one limit is infinite.
    Between two limits the values are taken as evenly spread, as Prometheus's ``histogram_quantile``
    does. Above the last finite limit the answer is infinite: nobody knows how far.
    """
    limits = sorted(up_to)
    if not limits or not up_to[limits[-1]]:
        return None
    rank = q * up_to[limits[-1]]
    low, below = 0.0, 0.0
    for limit in limits:
        if up_to[limit] >= rank and up_to[limit] > below:
            if math.isinf(limit):
                return math.inf
            return low + (limit - low) * (rank - below) / (up_to[limit] - below)
        low, below = limit, up_to[limit]
    return math.inf
