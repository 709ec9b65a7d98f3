import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.gate import Action, decide
from maskgate.protocol.verdict import BadVerdictError, Outcome, Verdict, parse_verdict

NOW_MS = 1_790_000_000_000
FIELDS = [
    "crop_id",
    "track_id",
    "outcome",
    "p_mask",
    "captured_at",
    "decided_at",
    "model",
    "crops",
    "agreeing",
]
BARE = Verdict(
    crop_id="c",
    track_id="t",
    outcome=Outcome.NO_MASK,
    p_mask=0.01,
    captured_at_ms=NOW_MS - 100,
    decided_at_ms=NOW_MS - 90,
    model="m",
    crops=3,
    agreeing=2,
)


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({}, Action.RECOGNISE),
        ({"outcome": Outcome.MASK, "p_mask": 0.99}, Action.REMOVE_MASK),
        ({"outcome": Outcome.UNCERTAIN, "p_mask": 0.5}, Action.MANUAL),
        ({"outcome": Outcome.EXPIRED}, Action.MANUAL),
        ({"captured_at_ms": NOW_MS - 3000}, Action.MANUAL),
        ({"captured_at_ms": NOW_MS + 1000}, Action.MANUAL),
        ({"captured_at_ms": NOW_MS + 100}, Action.RECOGNISE),
        ({"p_mask": float("nan")}, Action.MANUAL),
        ({"p_mask": 0.9}, Action.MANUAL),
        ({"agreeing": 0}, Action.MANUAL),
        ({"agreeing": 4}, Action.MANUAL),
    ],
)
def test_the_door_does_what_the_verdict_justifies(
    change: dict[str, object], action: Action
) -> None:
    assert decide(msgspec.structs.replace(BARE, **change), NOW_MS).action is action


def test_no_verdict_is_manual() -> None:
    assert decide(None, NOW_MS).action is Action.MANUAL


def test_fewer_agreeing_crops_than_wanted_are_manual() -> None:
    assert decide(BARE, NOW_MS, min_agreeing=3).action is Action.MANUAL


@given(
    st.sampled_from(Outcome),
    st.floats(),
    st.integers(-(10**6), 10**6),
    st.integers(-2, 5),
    st.integers(-2, 5),
)
def test_the_door_never_opens_without_a_fresh_confident_bare_face(
    outcome: Outcome, p_mask: float, age_ms: int, crops: int, agreeing: int
) -> None:
    verdict = msgspec.structs.replace(
        BARE,
        outcome=outcome,
        p_mask=p_mask,
        captured_at_ms=NOW_MS - age_ms,
        crops=crops,
        agreeing=agreeing,
    )
    opened = decide(verdict, NOW_MS).action is Action.RECOGNISE
    assert not opened or (
        outcome is Outcome.NO_MASK
        and p_mask <= 0.5
        and -250 <= age_ms < 3000
        and 1 <= agreeing <= crops
    )


@given(st.dictionaries(st.sampled_from(FIELDS), st.text()))
def test_garbage_in_redis_is_no_verdict(fields: dict[str, str]) -> None:
    try:
        assert parse_verdict(fields) is None
    except BadVerdictError:
        assert fields


@pytest.mark.parametrize(("outcome", "p_mask"), [("no_mask", 0.9), ("no_mask", 0.5), ("mask", 0.1)])
def test_an_outcome_that_is_mere_text_opens_no_door_against_its_probability(
    outcome: str, p_mask: float
) -> None:
    assert (
        decide(msgspec.structs.replace(BARE, outcome=outcome, p_mask=p_mask), NOW_MS).action
        is Action.MANUAL
    )


@given(st.integers(0, 6000), st.integers(0, 10_000))
def test_a_verdict_that_is_too_old_stays_too_old(age_ms: int, later_ms: int) -> None:
    if decide(BARE, BARE.captured_at_ms + age_ms).action is Action.MANUAL:
        assert decide(BARE, BARE.captured_at_ms + age_ms + later_ms).action is Action.MANUAL
