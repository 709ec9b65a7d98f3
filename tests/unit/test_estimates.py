"""Estimates without labels, on simulated doors whose truth is known."""

import math
import random
from collections import Counter
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.estimates.performance import Estimate, estimate, unadjusted_estimate, wilson
from maskgate.estimates.prior import share_of_masks
from maskgate.protocol.scores import (
    BINS,
    EDGES,
    MIDDLES,
    NO_SCORES,
    OUTCOMES,
    Scores,
    bin_of,
    scores_of,
)
from maskgate.protocol.verdict import Outcome

#: The log-likelihood ratio of a face is normal with this deviation: then it is its own log odds
#: where half of the faces are masked.
_DEVIATION = 3.5
_LOW, _HIGH = 0.057, 0.875
MEASURES = ("coverage", "accuracy", "precision", "recall")


def outcome_of(p_mask: float) -> Outcome:
    if _LOW < p_mask < _HIGH:
        return Outcome.UNCERTAIN
    return Outcome.MASK if p_mask >= _HIGH else Outcome.NO_MASK


class Door:
    """Visits at a door, calibrated for a share of masks of .5; ``share`` is the true one."""

    def __init__(self, seed: int, share: float, visits: int, crops_a_visit: int = 1) -> None:
        rng = random.Random(seed)
        self.crops: list[tuple[float, Outcome]] = []
        self.masked: list[bool] = []
        for _ in range(visits):
            masked = rng.random() < share
            middle = _DEVIATION**2 / 2 * (1 if masked else -1)
            p_mask = 1 / (1 + math.exp(-rng.gauss(middle, _DEVIATION)))
            self.crops += [(p_mask, outcome_of(p_mask))] * crops_a_visit
            self.masked += [masked] * crops_a_visit
        self.scores = scores_of(self.crops, visits)

    def truth(self) -> dict[str, float]:
        said = [outcome for _, outcome in self.crops]
        both = list(zip(said, self.masked, strict=True))
        hits = both.count((Outcome.MASK, True))
        right = hits + both.count((Outcome.NO_MASK, False))
        decided = len(both) - said.count(Outcome.UNCERTAIN)
        return {
            "coverage": decided / len(both),
            "accuracy": right / decided,
            "precision": hits / said.count(Outcome.MASK),
            "recall": hits / (hits + both.count((Outcome.NO_MASK, True))),
        }


def value(estimated: Estimate, name: str) -> float:
    found = getattr(estimated, name).value
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_estimate_is_right_on_average_whatever_the_share_of_masks(share: float) -> None:
    doors = [Door(seed, share, 1000) for seed in range(30)]
    estimates = [estimate(door.scores) for door in doors]
    for name in MEASURES:
        off = [
            value(estimated, name) - door.truth()[name]
            for estimated, door in zip(estimates, doors, strict=True)
        ]
        assert abs(fmean(off)) < 0.01
        assert abs(fmean(off)) < 3 * stdev(off) / math.sqrt(len(off)) + 1e-9
    assert fmean(each.share_of_masks for each in estimates) == pytest.approx(share, abs=0.005)


def test_without_the_share_of_masks_recall_is_far_off() -> None:
    door = Door(1, 0.1, 20_000)
    assert value(unadjusted_estimate(door.scores), "recall") < door.truth()["recall"] - 0.03
    assert value(estimate(door.scores), "recall") == pytest.approx(door.truth()["recall"], abs=0.01)


def test_sums_and_no_bins_decide_where_the_share_is_the_calibrated_one() -> None:
    door = Door(2, 0.5, 5000)
    called = [p for p, outcome in door.crops if outcome is Outcome.MASK]
    assert value(unadjusted_estimate(door.scores), "precision") == pytest.approx(fmean(called))


def test_crops_of_one_visit_do_not_make_the_interval_narrower() -> None:
    alone, together = Door(3, 0.3, 500), Door(3, 0.3, 500, crops_a_visit=20)
    for name in MEASURES:
        one, other = getattr(estimate(alone.scores), name), getattr(estimate(together.scores), name)
        assert (other.low, other.high) == (pytest.approx(one.low), pytest.approx(one.high))


def test_the_interval_holds_the_doors_own_rate_about_as_often_as_it_says() -> None:
    rates, inside = Door(999, 0.4, 40_000).truth(), Counter[str]()
    for seed in range(100):
        estimated = estimate(Door(seed, 0.4, 300, crops_a_visit=3).scores)
        for name, rate in rates.items():
            found = getattr(estimated, name)
            inside[name] += found.low <= rate <= found.high
    assert min(inside.values()) >= 90


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(OUTCOMES)), max_size=60),
    st.integers(0, 99),
)
def test_every_estimate_is_a_share_within_its_interval(
    crops: list[tuple[float, Outcome]], visits: int
) -> None:
    estimated = estimate(scores_of(crops, visits))
    for name in MEASURES:
        found = getattr(estimated, name)
        assert 0 <= found.low <= found.high <= 1
        assert found.value is None or found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_without_crops_nothing_is_said() -> None:
    nothing = estimate(NO_SCORES)
    assert [getattr(nothing, name).value for name in MEASURES] == [None] * 4


def test_wilson_is_as_published() -> None:
    found = wilson(97, 100)
    assert (round(found.low, 3), round(found.high, 3)) == (0.915, 0.990)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.97])
def test_the_share_of_masks_is_the_likeliest_one(share: float) -> None:
    histogram = Door(4, share, 4000).scores.histogram
    found = share_of_masks(histogram, 0.5)

    def likelihood(of: float) -> float:
        return sum(
            n * math.log(of * math.exp(middle) + 1 - of)
            for n, middle in zip(histogram, MIDDLES, strict=True)
        )

    assert likelihood(found) >= max(likelihood(found - 0.002), likelihood(found + 0.002))
    assert found == pytest.approx(share, abs=0.02)


def test_the_bins_are_equal_in_log_odds_and_share_no_edge() -> None:
    assert [bin_of(p) for p in (0.0, *EDGES, 1.0)] == [0, *range(1, BINS), BINS - 1]
    assert bin_of(0.5) == BINS // 2
    assert [bin_of(1 / (1 + math.exp(-middle))) for middle in MIDDLES] == list(range(BINS))


def test_scores_of_hours_add_up() -> None:
    one, other = Door(5, 0.2, 300), Door(6, 0.7, 200)
    both: Scores = one.scores + other.scores
    assert both.histogram == scores_of([*one.crops, *other.crops], 0).histogram
    assert (both.crops, both.visits) == (500, 500)
