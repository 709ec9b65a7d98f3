import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.gate import Action, decide
from maskgate.gate.decide import is_fresh
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
    "ttl_ms",
    "evidence",
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


WRITTEN = {
    "crop_id": "c",
    "track_id": "t",
    "outcome": "no_mask",
    "p_mask": "0.01",
    "captured_at": str(NOW_MS),
    "decided_at": str(NOW_MS),
    "model": "m",
    "crops": "3",
    "agreeing": "2",
}


def action_at(age_ms: int, **fields: str) -> Action:
    return decide(parse_verdict(WRITTEN | fields), NOW_MS + age_ms).action


@pytest.mark.parametrize(
    ("fields", "ttl_ms"),
    [({}, 3000), ({"ttl_ms": "3000"}, 3000), ({"ttl_ms": "100"}, 100), ({"ttl_ms": "9000"}, 9000)],
)
def test_a_verdict_stands_for_as_long_as_its_worker_wrote_or_else_three_seconds(
    fields: dict[str, str], ttl_ms: int
) -> None:
    assert action_at(ttl_ms - 1, **fields) is Action.RECOGNISE
    assert action_at(ttl_ms, **fields) is Action.MANUAL


@pytest.mark.parametrize("ttl_ms", ["", "0", "-1", "600001", "1e12", "nan", "inf", "long", "3 s"])
def test_a_time_to_live_that_makes_no_sense_is_no_verdict(ttl_ms: str) -> None:
    with pytest.raises(BadVerdictError):
        parse_verdict(WRITTEN | {"ttl_ms": ttl_ms})


@pytest.mark.parametrize("ttl_ms", [0, -1, 600_001, float("nan"), float("inf")])
def test_nor_does_the_door_go_by_it(ttl_ms: float) -> None:
    verdict = msgspec.structs.replace(BARE, ttl_ms=ttl_ms)
    assert decide(verdict, NOW_MS).action is Action.MANUAL
    assert not is_fresh(verdict, NOW_MS)


def test_a_door_may_ask_for_a_shorter_time_but_not_for_a_longer_one() -> None:
    at_500_ms, at_4000_ms = BARE.captured_at_ms + 500, BARE.captured_at_ms + 4000
    assert decide(BARE, at_500_ms, max_age_ms=500).action is Action.MANUAL
    assert decide(BARE, at_500_ms, max_age_ms=501).action is Action.RECOGNISE
    assert decide(BARE, at_4000_ms, max_age_ms=5000).action is Action.MANUAL


def test_no_verdict_is_manual() -> None:
    assert decide(None, NOW_MS).action is Action.MANUAL


@pytest.mark.parametrize(
    ("outcome", "p_mask", "evidence", "action"),
    [
        (Outcome.NO_MASK, 0.01, -2.0, Action.RECOGNISE),
        (Outcome.NO_MASK, 0.01, -1.9, Action.MANUAL),
        (Outcome.NO_MASK, 0.01, 4.0, Action.MANUAL),
        (Outcome.MASK, 0.99, 2.0, Action.REMOVE_MASK),
        (Outcome.MASK, 0.99, 1.9, Action.MANUAL),
        (Outcome.MASK, 0.99, -4.0, Action.MANUAL),
        (Outcome.UNCERTAIN, 0.5, -4.0, Action.MANUAL),
        (Outcome.NO_MASK, 0.01, float("nan"), Action.MANUAL),
        (Outcome.NO_MASK, 0.01, None, Action.RECOGNISE),
        (Outcome.NO_MASK, 0.2, None, Action.MANUAL),
    ],
)
def test_the_newest_crop_and_the_evidence_must_say_the_same(
    outcome: Outcome, p_mask: float, evidence: float | None, action: Action
) -> None:
    verdict = msgspec.structs.replace(BARE, outcome=outcome, p_mask=p_mask, evidence=evidence)
    assert decide(verdict, NOW_MS).action is action


def test_no_door_can_ask_for_evidence_against_an_outcome() -> None:
    verdict = msgspec.structs.replace(BARE, evidence=0.5)
    assert decide(verdict, NOW_MS, min_evidence=-1).action is Action.MANUAL


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
