"""Temperatures, bands, thresholds and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the trainer extra is not installed")


from trainer.evaluation.calibration import (
    best_threshold,
    narrowest_band,
    reliability,
    temperature_for,
)
from trainer.evaluation.held_out_domains import all_runs, at_temperature, domain_temperature
from trainer.evaluation.metrics import prediction_interval, wilson
from trainer.evaluation.results import DomainPredictions, Predictions


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    logits = np.stack((np.zeros_like(margin), margin * 3), 1).astype(np.float32)
    assert temperature_for(logits, labels) == pytest.approx(3, rel=0.1)


def test_the_calibration_error_is_the_mean_gap_weighted_by_count() -> None:
    p_mask, labels = (
        np.asarray([0.1] * 10 + [0.9] * 30),
        np.asarray([0] * 10 + [1] * 21 + [0] * 9, np.int64),
    )
    curve = reliability(p_mask, labels)
    assert curve.ece == pytest.approx((10 * 0.1 + 30 * 0.2) / 40)
    assert curve.counts == [10, 30]


def test_the_band_reaches_its_target_and_leaves_few_images_undecided() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    p_mask = 1 / (1 + np.exp(-(rng.normal(0, 1, 4000) + np.where(labels == 1, 2.0, -2.0)) * 2))
    band = narrowest_band(p_mask, labels, np.ones(4000), target=0.99)
    above, below = p_mask >= band.uncertain_to, p_mask <= band.uncertain_from
    assert labels[above].mean() >= 0.99
    assert labels[above].sum() / (labels[above].sum() + labels[below].sum()) >= 0.99
    assert 0.7 < (above | below).mean() < 1


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.5), (-0.04, 0.46), (0.04, 0.54)])
def test_the_threshold_follows_a_bias_but_not_far(shift: float, expected: float) -> None:
    labels = np.arange(4000) % 2
    p_mask = np.clip(
        np.where(labels == 1, 0.52, 0.48) + np.linspace(-0.01, 0.01, 4000) + shift, 0, 1
    )
    assert best_threshold(p_mask, labels, np.ones(4000)) == pytest.approx(expected, abs=0.021)


def test_a_band_decides_at_least_its_coverage() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 2000)
    p_mask = np.clip(rng.normal(0.5, 0.25, 2000) + np.where(labels == 1, 0.1, -0.1), 0.001, 0.999)
    band = narrowest_band(p_mask, labels, np.ones(2000), target=0.99, coverage=0.9)
    assert ((p_mask >= band.uncertain_to) | (p_mask <= band.uncertain_from)).mean() >= 0.9


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_wilson_interval_contains_its_share(right: int, more: int) -> None:
    interval = wilson(right, right + more)
    assert interval is not None
    assert 0 <= interval[0] <= right / (right + more) <= interval[1] <= 1


def test_wilson_intervals_are_the_published_ones() -> None:
    assert wilson(20, 20) == pytest.approx((0.839, 1.0), abs=0.001)
    assert wilson(97, 100) == pytest.approx((0.915, 0.990), abs=0.001)
    assert wilson(0, 0) is None


def test_the_prediction_interval_is_around_the_mean_and_at_most_one() -> None:
    assert prediction_interval([0.9, 0.92]) is None
    low, high = prediction_interval([0.90, 0.92, 0.94]) or (0, 0)
    assert (low, high) == pytest.approx((0.92 - 4.3027 * 0.02 * (4 / 3) ** 0.5, 1.0), abs=1e-4)


def test_underconfident_predictions_get_a_temperature_below_one() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 3, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-margin))).astype(int).tolist()
    underconfident = (1 / (1 + np.exp(-margin / 2))).tolist()
    run = Predictions([""] * 20_000, ["lobby"] * 20_000, labels, underconfident)
    domains = {"lobby": DomainPredictions(["lobby"], [run])}
    assert domain_temperature(all_runs(domains)) == pytest.approx(0.5, abs=0.03)
    calibrated = at_temperature(domains, 0.5)["lobby"].runs[0].p_mask
    assert reliability(np.asarray(calibrated), np.asarray(labels)).ece < 0.015
    unchanged = at_temperature(domains, 1.0)["lobby"].runs[0].p_mask
    assert unchanged == pytest.approx(underconfident, abs=1e-5)
