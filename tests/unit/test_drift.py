"""Drift of scores and its alarms: values computed by hand, and doors that are simulated."""

import math
import random
from collections.abc import Sequence

import pytest

from maskgate.estimates.alarms import alarm, alarms, periods
from maskgate.estimates.drift import (
    drift,
    joined,
    mixture,
    population_stability_index,
)
from maskgate.estimates.outlook import outlook
from maskgate.estimates.reading import Hour
from maskgate.inference.card import ReferenceScores
from maskgate.protocol.scores import BINS, Scores, bin_of, scores_of
from maskgate.protocol.verdict import Outcome

_HOUR_MS = 3600 * 1000
#: 2026-11-27 14:00 UTC.
_TWO_MS = 1_795_788_000_000


def log_odds(rng: random.Random, *, masked: bool, blur: float = 1.0) -> float:
    # With half the square of the deviation, the log odds are calibrated.
    return blur * rng.gauss(5.12 if masked else -5.12, 3.2)


def histogram(values: Sequence[float]) -> tuple[int, ...]:
    bins = [bin_of(1 / (1 + math.exp(-value))) for value in values]
    return tuple(bins.count(number) for number in range(BINS))


_RNG = random.Random(1)
REFERENCE = ReferenceScores(
    mask=histogram([log_odds(_RNG, masked=True) for _ in range(600)]),
    no_mask=histogram([log_odds(_RNG, masked=False) for _ in range(600)]),
    sources=("door",),
    data_sha256="0" * 64,
    estimate_off={},
)


def scores(
    seed: int, visits: int = 300, *, share: float = 0.2, blur: float = 1.0, crops_a_visit: int = 4
) -> Scores:
    rng = random.Random(seed)
    crops = []
    for _ in range(visits):
        value = log_odds(rng, masked=rng.random() < share, blur=blur)
        crops += [(1 / (1 + math.exp(-value)), Outcome.MASK)] * crops_a_visit
    return scores_of(crops, visits)


def day(*of_hours: Scores) -> list[Hour]:
    """Hours from 10:00 on."""
    return [
        Hour(_TWO_MS + (number - 4) * _HOUR_MS, of_hour) for number, of_hour in enumerate(of_hours)
    ]


def test_psi_is_as_computed_by_hand() -> None:
    # (.3 - .5) ln(.3 / .5) + (.7 - .5) ln(.7 / .5)
    assert population_stability_index([0.5, 0.5], [30, 70]) == pytest.approx(0.16946, abs=1e-5)
    assert population_stability_index([0.25] * 4, [25] * 4) == 0
    # An empty bin has half a crop: (.005 - .5) ln(.005 / .5) + (1 - .5) ln(1 / .5)
    assert population_stability_index([0.5, 0.5], [0, 100]) == pytest.approx(2.62614, abs=1e-5)


def test_bins_in_which_little_is_expected_are_joined() -> None:
    found = joined([0.01, 0.015, 0.5, 0.465, 0.01], [1, 2, 3, 4, 5])
    assert found == ([pytest.approx(0.025), 0.5, pytest.approx(0.475)], [3, 3, 9])


def test_a_mixture_is_a_distribution_in_which_nothing_is_impossible() -> None:
    expected = mixture(REFERENCE, 0.1)
    assert sum(expected) == pytest.approx(1)
    assert min(expected) > 0


@pytest.mark.parametrize("share", [0.02, 0.2, 0.9])
def test_another_share_of_masks_is_no_shift(share: float) -> None:
    found = drift(scores(2, 1000, share=share), REFERENCE)
    assert found
    assert found.psi < 0.1
    assert found.share_of_masks == pytest.approx(share, abs=0.03)


def test_chance_alone_is_rarely_a_shift() -> None:
    judged = [drift(scores(seed, 100), REFERENCE) for seed in range(300)]
    assert not any(found.is_alarming for found in judged if found)
    assert all(judged)


def test_blurred_faces_are_a_shift_towards_doubt_and_easy_ones_are_no_alarm() -> None:
    blurred, easy = (drift(scores(3, blur=blur), REFERENCE) for blur in (0.4, 3.0))
    assert blurred
    assert blurred.psi > 0.25
    assert blurred.is_alarming
    assert easy
    assert not easy.is_alarming


@pytest.mark.parametrize(("visits", "crops_a_visit"), [(99, 10), (150, 1)])
def test_too_few_are_not_judged(visits: int, crops_a_visit: int) -> None:
    assert drift(scores(4, visits, blur=0.3, crops_a_visit=crops_a_visit), REFERENCE) is None


def test_an_alarm_says_which_camera_since_when_and_what_to_look_at() -> None:
    hours = day(*(scores(seed) for seed in range(4)), *(scores(9, blur=0.4),) * 2)
    (found,) = alarms({"entrance": hours, "yard": hours[:4], "new": []}, REFERENCE)
    assert found.psi > 0.25
    psi = f"{found.psi:.2f}".removeprefix("0")
    assert found.text == (
        f"camera entrance: scores have shifted since 2026-11-27 14:00 UTC (PSI {psi}, "
        "2,400 crops): look at light, focus, or a new kind of mask"
    )


def test_an_alarm_ends_with_the_first_period_that_is_as_before_and_not_with_silence() -> None:
    bad, good, little = scores(9, blur=0.4), scores(8), scores(7, visits=20)
    assert alarm("a", list(periods(day(bad, bad), REFERENCE)))
    assert alarm("a", list(periods(day(bad, bad, little), REFERENCE)))
    assert not alarm("a", list(periods(day(bad, bad, good), REFERENCE)))


def test_quiet_hours_are_judged_together() -> None:
    quiet = [scores(seed, 30, blur=0.3) for seed in range(9)]
    judged = list(periods(day(*quiet), REFERENCE))
    assert [period.begun_ms for period in judged] == [
        _TWO_MS - 4 * _HOUR_MS,
        _TWO_MS,
    ]
    assert [period.crops for period in judged] == [480, 480]


def test_the_outlook_has_each_camera_and_all_together_and_no_alarm_without_a_reference() -> None:
    hours = {"entrance": day(scores(9, blur=0.4)), "yard": day(scores(1), scores(2))}
    found = outlook(hours, REFERENCE)
    assert [each.camera for each in found.alarms] == ["entrance"]
    assert {name: each.crops for name, each in found.cameras.items()} == {
        "entrance": 1200,
        "yard": 2400,
    }
    assert (found.all_cameras.crops, found.all_cameras.visits) == (3600, 900)
    assert not outlook(hours, None).alarms
