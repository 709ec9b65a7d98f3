"""Where the counts of probabilities are in Redis: by camera, hour, model, outcome and bin. UTC.

A hash ``scores:{camera}:hour:2026-11-27T14`` counts the live crops of one hour. Its cells:

- ``MODEL:07.mask``: crops whose probability fell into bin 7 and whose outcome was ``mask``;
- ``MODEL:p.mask``: the sum of their probabilities in millionths, over all bins;
- ``MODEL:visits``: people who came: tracks first seen, and crops of sources that do not track.

The bins are equal in log odds, 0.75 wide and from -6.75 to 6.75, because probabilities crowd near 0
and 1, and at a door where one in ten wears a mask .99 and .999 do not mean the same.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import add

from maskgate.protocol.verdict import Outcome

#: A camera without crops leaves the set after a day.
CAMERA_KEPT_MS = 24 * 3600 * 1000
#: A pattern of the other keys below, for access rules.
SCORES_KEYS = "scores:*"
#: An hour is kept for 8 days after its last crop: a week can be compared with the day before it.
HOUR_KEPT_MS = 8 * 24 * 3600 * 1000
#: The name of this binning, in model cards.
BINNING = "log-odds-0.75"
BINS = 20
_WIDTH = 0.75
#: Probabilities between the bins, ascending.
EDGES = tuple(1 / (1 + math.exp(-_WIDTH * (edge - 9))) for edge in range(BINS - 1))
#: The log odds in the middle of each bin.
MIDDLES = tuple(_WIDTH * (number - (BINS - 1) / 2) for number in range(BINS))
#: The outcomes that are counted.
OUTCOMES = (Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)
MILLIONTHS = 1_000_000

_HOUR_MS = 3600 * 1000
_NONE = (0,) * BINS


def bin_of(p_mask: float) -> int:
    """The number of the bin of a probability, from 0."""
    return bisect_right(EDGES, p_mask)


def scores_key(camera_id: str, at_ms: int) -> str:
    """The key of the counts of the hour of ``at_ms``, for one camera."""
    # fromtimestamp() would round half-way cases; this is exact.
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return f"scores:{{{camera_id}}}:hour:{at:%Y-%m-%dT%H}"


def seen_key(camera_id: str) -> str:
    """The key of the tracks of a camera that were counted as visits, by time: a sorted set."""
    return f"scores:{{{camera_id}}}:seen"


def flushes_key(worker: str) -> str:
    """The key of the number of the last counts that a worker added: nothing is added twice."""
    return f"scores:flushes:{worker}"


def hours_before(now_ms: int, count: int) -> list[int]:
    """The beginnings of the last hours in milliseconds, oldest first; the last is this hour's."""
    begun = now_ms - now_ms % _HOUR_MS
    return [begun - back * _HOUR_MS for back in reversed(range(count))]


def bin_cell(model: str, number: int, outcome: Outcome) -> str:
    """The cell of the crops of a bin with an outcome."""
    return f"{model}:{number:02}.{outcome.value}"


def sum_cell(model: str, outcome: Outcome) -> str:
    """The cell of the sum of the probabilities of an outcome, in millionths."""
    return f"{model}:p.{outcome.value}"


def visits_cell(model: str) -> str:
    """The cell of the visits that began while this model classified."""
    return f"{model}:visits"


@dataclass(frozen=True, slots=True)
class Scores:
    """The counts of one model: of an hour, or of several that were added.

    ``counts`` has for each outcome the crops in each bin, ``p_sums`` the sum of their
    probabilities.
    """

    counts: Mapping[Outcome, tuple[int, ...]]
    p_sums: Mapping[Outcome, float]
    visits: int = 0

    def n(self, outcome: Outcome) -> int:
        """How many crops had an outcome."""
        return sum(self.counts[outcome])

    @property
    def crops(self) -> int:
        """How many crops there were."""
        return sum(map(self.n, OUTCOMES))

    @property
    def histogram(self) -> tuple[int, ...]:
        """How many crops fell into each bin."""
        return tuple(map(sum, zip(*self.counts.values(), strict=True)))

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            {
                outcome: tuple(map(add, self.counts[outcome], other.counts[outcome]))
                for outcome in OUTCOMES
            },
            {outcome: self.p_sums[outcome] + other.p_sums[outcome] for outcome in OUTCOMES},
            self.visits + other.visits,
        )


def scores_of(crops: Iterable[tuple[float, Outcome]], visits: int) -> Scores:
    """The counts of crops, each with its probability and outcome."""
    counts = {outcome: [0] * BINS for outcome in OUTCOMES}
    p_sums = dict.fromkeys(OUTCOMES, 0.0)
    for p_mask, outcome in crops:
        counts[outcome][bin_of(p_mask)] += 1
        p_sums[outcome] += p_mask
    return Scores({outcome: tuple(of) for outcome, of in counts.items()}, p_sums, visits)


NO_SCORES = Scores(dict.fromkeys(OUTCOMES, _NONE), dict.fromkeys(OUTCOMES, 0.0))


def parse_scores(fields: Mapping[str, str]) -> dict[str, Scores]:
    """The counts of each model in a hash. A cell of a later release is ignored."""
    by_model: dict[str, dict[str, int]] = {}
    for field, value in fields.items():
        model, _, cell = field.rpartition(":")
        by_model.setdefault(model, {})[cell] = int(value)
    return {model: _of_cells(cells) for model, cells in by_model.items()}


def _of_cells(cells: Mapping[str, int]) -> Scores:
    return Scores(
        {
            outcome: tuple(cells.get(f"{number:02}.{outcome.value}", 0) for number in range(BINS))
            for outcome in OUTCOMES
        },
        {outcome: cells.get(f"p.{outcome.value}", 0) / MILLIONTHS for outcome in OUTCOMES},
        cells.get("visits", 0),
    )
