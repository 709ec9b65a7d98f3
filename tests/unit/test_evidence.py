import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.evidence import CROPS, HALF_LIFE_MS, LIMIT, MIN_EVIDENCE, evidence

CLEARLY_BARE, RATHER_BARE, CLEARLY_MASKED = 0.005, 0.04, 0.995
CROP = st.tuples(st.integers(0, 10_000), st.floats(0, 1))


def test_a_single_crop_decides_only_if_it_is_very_clear() -> None:
    assert evidence([(0, CLEARLY_BARE)]) <= -MIN_EVIDENCE
    assert evidence([(0, RATHER_BARE)]) > -MIN_EVIDENCE
    assert evidence([(0, RATHER_BARE), (100, RATHER_BARE)]) <= -MIN_EVIDENCE


def test_one_error_does_not_turn_what_many_crops_say() -> None:
    masked = [(at_ms, CLEARLY_MASKED) for at_ms in range(0, 1000, 100)]
    assert evidence([*masked, (1000, CLEARLY_BARE)]) > MIN_EVIDENCE / 2


def test_a_mask_taken_off_is_believed_within_a_second() -> None:
    masked = [(at_ms, CLEARLY_MASKED) for at_ms in range(0, 3000, 200)]
    bare = [(at_ms, CLEARLY_BARE) for at_ms in range(3000, 4200, 200)]
    assert evidence([*masked, *bare]) <= -MIN_EVIDENCE


@given(st.lists(CROP, unique_by=lambda crop: crop[0]), st.randoms())
def test_neither_order_nor_old_crops_matter(
    crops: list[tuple[int, float]], rng: random.Random
) -> None:
    shuffled = rng.sample(crops, len(crops))
    assert evidence(shuffled) == evidence(sorted(crops, reverse=True)[:CROPS])
    assert abs(evidence(crops)) < LIMIT


def test_nothing_seen_says_nothing() -> None:
    assert evidence([]) == 0


def test_a_crop_counts_half_after_its_half_life() -> None:
    old, new = (0, CLEARLY_MASKED), (HALF_LIFE_MS, 0.5)
    assert evidence([old, new]) == pytest.approx(0.5 * LIMIT / 2.5)
