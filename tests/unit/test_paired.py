"""McNemar's test and what is said of a challenger."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.models.paired import Paired, compare, disagreements


@pytest.mark.parametrize(
    ("lost", "won", "p_value"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 2**5),
        (1, 5, 2 * 7 / 2**6),
        (10, 25, 0.016673847800120715),  # scipy.stats.binomtest(10, 35).pvalue
    ],
)
def test_the_exact_p_value(lost: int, won: int, p_value: float) -> None:
    assert Paired(90, lost, won, 3).p_value == pytest.approx(p_value, rel=1e-9)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_p_value_is_that_of_the_binomial_test(lost: int, won: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="the trainer extra is not installed")
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert Paired(0, lost, won, 0).p_value == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_a_million_differing_samples_are_no_trouble() -> None:
    assert Paired(0, 500_000, 500_000, 0).p_value == 1.0
    assert Paired(0, 490_000, 510_000, 0).p_value < 1e-80


def test_the_difference_has_an_interval_around_it() -> None:
    value, low, high = Paired(880, 20, 60, 40).difference()
    assert value == pytest.approx(0.04)
    # Wald's interval without the half samples is 0.0228 to 0.0572.
    assert low == pytest.approx(0.0225, abs=5e-4)
    assert high == pytest.approx(0.0574, abs=5e-4)
    assert math.isnan(Paired().difference()[0])


def test_the_interval_holds_the_truth_95_times_in_100() -> None:
    import numpy as np

    rng = np.random.default_rng(3)
    draws = rng.multinomial(300, [0.9, 0.02, 0.05, 0.03], size=2000)
    held = 0
    for both, lost, won, neither in draws.tolist():
        _, low, high = Paired(both, lost, won, neither).difference()
        held += low <= 0.03 <= high
    assert 0.93 <= held / len(draws) <= 0.98


def test_a_better_challenger_is_called_better() -> None:
    found = compare({"mask.uncertain.mask": 30, "mask.mask.mask": 70, "no_mask.mask.no_mask": 2})
    assert (found.right.n, found.right.challenger_only, found.decision) == (102, 32, "better")
    assert found.text.startswith("better: the challenger decides 100.0% rightly, the champion 68.6")


def test_a_challenger_that_misses_masks_is_worse_whatever_else_it_gains() -> None:
    found = compare({"no_mask.uncertain.no_mask": 500, "mask.mask.no_mask": 30})
    assert found.right.is_better
    assert found.decision == "worse"


def test_few_samples_show_nothing() -> None:
    assert compare({"mask.no_mask.mask": 5, "mask.mask.mask": 10}).decision == "not shown"
    assert compare({}).text == "not shown: no labelled sample was classified by both"


def test_cells_of_something_else_are_ignored() -> None:
    strange = {"beard:mask.mask.mask": 3, "mask.mask": 4, "": 1, "other.mask.mask": 9}
    assert compare(strange).right.n == 0
    assert disagreements({"lobby": 3, "": 1, "lobby.mask": 2}) == []


def test_cameras_are_listed_by_how_much_the_models_differ() -> None:
    found = disagreements(
        {
            "lobby.mask.mask": 90,
            "lobby.mask.uncertain": 6,
            "lobby.mask.no_mask": 4,
            "yard.no_mask.no_mask": 8,
            "yard.uncertain.mask": 2,
            "vault.mask.mask": 5,
        }
    )
    assert [(each.camera, each.n, each.differ, each.opposed) for each in found] == [
        ("yard", 10, 2, 0),
        ("lobby", 100, 10, 4),
        ("vault", 5, 0, 0),
    ]
