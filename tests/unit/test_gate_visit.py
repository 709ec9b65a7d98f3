"""What a door does about one person, crop after crop: never open on doubt, and do not flicker."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.gate import Action, Visit, decide, decide_visit, together
from maskgate.protocol.verdict import Outcome, Verdict

NOW_MS = 1_790_000_000_000
_P_MASK = {Outcome.MASK: 0.99, Outcome.NO_MASK: 0.01, Outcome.UNCERTAIN: 0.5}


def a_verdict(
    outcome: Outcome = Outcome.NO_MASK,
    evidence: float | None = -4.0,
    *,
    crops: int = 3,
    at_ms: int = NOW_MS,
    track: str = "t",
    p_mask: float | None = None,
) -> Verdict:
    return Verdict(
        crop_id=f"{at_ms}",
        track_id=track,
        outcome=outcome,
        p_mask=_P_MASK.get(outcome, 0.5) if p_mask is None else p_mask,
        captured_at_ms=at_ms,
        decided_at_ms=at_ms,
        model="m",
        crops=crops,
        agreeing=1,
        evidence=evidence,
    )


def a_visit(*said: tuple[Outcome, float], min_crops: int = 1) -> Visit:
    """A visit after these newest crops, 200 ms apart, with the evidence at each."""
    visit: Visit | None = None
    for i, (outcome, evidence) in enumerate(said):
        at_ms = NOW_MS + 200 * i
        verdict = a_verdict(outcome, evidence, crops=i + 1, at_ms=at_ms)
        visit = decide_visit(visit, verdict, at_ms + 30, min_crops=min_crops)
    assert visit is not None
    return visit


MASK, BARE, UNCERTAIN = Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN
RECOGNISE, REMOVE_MASK, MANUAL = Action.RECOGNISE, Action.REMOVE_MASK, Action.MANUAL


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ([(BARE, -4)], RECOGNISE),
        ([(MASK, 4)], REMOVE_MASK),
        ([(UNCERTAIN, 0)], MANUAL),
        ([(BARE, -1.9)], MANUAL),
        # A bare face stays recognised while the doubt is small.
        ([(BARE, -4), (UNCERTAIN, -3)], RECOGNISE),
        ([(BARE, -4), (UNCERTAIN, -1)], RECOGNISE),
        ([(BARE, -4), (BARE, -1)], RECOGNISE),
        ([(BARE, -4), (UNCERTAIN, -0.9)], MANUAL),
        ([(BARE, -4), (BARE, -0.9)], MANUAL),
        ([(BARE, -4), (UNCERTAIN, 3)], MANUAL),
        # A mask put on: never recognised from its first crop on.
        ([(BARE, -4), (MASK, -3)], MANUAL),
        ([(BARE, -4), (MASK, -1), (MASK, 2)], REMOVE_MASK),
        # After doubt, the whole evidence is wanted again.
        ([(BARE, -4), (MASK, -3), (BARE, -1.5)], MANUAL),
        ([(BARE, -4), (MASK, -3), (BARE, -2.5)], RECOGNISE),
        # A masked face stays asked while the crops together say mask.
        ([(MASK, 4), (UNCERTAIN, 1)], REMOVE_MASK),
        ([(MASK, 4), (MASK, 1)], REMOVE_MASK),
        ([(MASK, 4), (BARE, 1)], REMOVE_MASK),
        ([(MASK, 4), (UNCERTAIN, 0.9)], MANUAL),
        # A mask taken off.
        ([(MASK, 4), (BARE, 1.5), (BARE, -0.5)], MANUAL),
        ([(MASK, 4), (BARE, 1.5), (BARE, -0.5), (BARE, -2)], RECOGNISE),
        ([(UNCERTAIN, 0), (UNCERTAIN, -3)], MANUAL),
    ],
)
def test_a_visit_is_decided_by_what_its_crops_said(
    said: Sequence[tuple[Outcome, float]], action: Action
) -> None:
    assert a_visit(*said).action is action


def test_nothing_is_decided_by_fewer_crops_than_asked_for() -> None:
    one, two = ((BARE, -4.0),), ((BARE, -4.0),) * 2
    assert a_visit(*one, min_crops=2).action is MANUAL
    assert "1 of 2 crops" in a_visit(*one, min_crops=2).reason
    assert a_visit(*two, min_crops=2).action is RECOGNISE
    assert a_visit((MASK, 4.0), min_crops=2).action is MANUAL
    assert decide_visit(None, a_verdict(crops=1), NOW_MS).action is MANUAL, "the default is 2"


def test_a_track_whose_crops_were_lost_is_not_recognised_by_its_past() -> None:
    before = a_visit((BARE, -4.0), (BARE, -4.0), min_crops=2)
    again = a_verdict(crops=1, at_ms=NOW_MS + 400)
    assert decide_visit(before, again, NOW_MS + 430, min_crops=2).action is MANUAL


def test_a_decision_ends_with_its_verdict() -> None:
    for said, evidence in ((BARE, -4.0), (MASK, 4.0)):
        verdict = a_verdict(said, evidence)
        before = decide_visit(None, verdict, NOW_MS)
        assert before.action is not MANUAL
        assert decide_visit(before, verdict, NOW_MS + 2999).action is before.action
        assert decide_visit(before, verdict, NOW_MS + 3000).action is MANUAL
        assert decide_visit(before, verdict, NOW_MS - 251).action is MANUAL


def test_a_decision_about_somebody_else_is_not_held() -> None:
    before = a_visit((BARE, -4.0))
    other = a_verdict(UNCERTAIN, -1.5, track="other")
    assert decide_visit(before, other, NOW_MS).action is MANUAL


def test_a_visit_says_since_when_it_lasts_and_since_when_it_is_decided() -> None:
    first = a_verdict(crops=1)
    begun = decide_visit(None, first, NOW_MS + 10)
    assert (begun.since_ms, begun.decided_since_ms, begun.crops) == (NOW_MS, NOW_MS + 10, 1)
    second = a_verdict(crops=2, at_ms=NOW_MS + 200)
    decided = decide_visit(begun, second, NOW_MS + 210)
    assert (decided.since_ms, decided.decided_since_ms) == (NOW_MS, NOW_MS + 210)
    third = a_verdict(UNCERTAIN, -1.5, at_ms=NOW_MS + 400)
    held = decide_visit(decided, third, NOW_MS + 410)
    assert (held.action, held.decided_since_ms) == (RECOGNISE, NOW_MS + 210)
    assert held.reason == "no mask before; now outcome is uncertain"
    known = decide_visit(None, second, NOW_MS + 210, since_ms=NOW_MS - 5)
    assert known.since_ms == NOW_MS - 5


outcomes = st.sampled_from([MASK, BARE, UNCERTAIN])
numbers = st.floats(-8, 8) | st.just(float("nan")) | st.just(float("inf"))
histories = st.lists(
    st.tuples(outcomes, numbers, st.floats(0, 1), st.integers(0, 20), st.integers(-300, 4000)),
    min_size=1,
    max_size=12,
)


@given(histories, st.floats(0, 4), st.integers(1, 4))
def test_whatever_was_decided_before_nobody_is_recognised_on_doubt(
    history: list[tuple[Outcome, float, float, int, int]], min_evidence: float, min_crops: int
) -> None:
    visit: Visit | None = None
    for outcome, evidence, p_mask, crops, age_ms in history:
        verdict = a_verdict(outcome, evidence, crops=crops, p_mask=p_mask)
        visit = decide_visit(
            visit, verdict, NOW_MS + age_ms, min_evidence=min_evidence, min_crops=min_crops
        )
        if visit.action is RECOGNISE:
            assert outcome is not MASK
            assert outcome is UNCERTAIN or p_mask < 0.5
            assert evidence <= -min_evidence / 2
            assert crops >= min_crops
            assert -250 <= age_ms < 3000


@given(outcomes, numbers, st.floats(0, 1), st.integers(1, 5))
def test_without_a_past_a_visit_is_decided_like_a_verdict(
    outcome: Outcome, evidence: float, p_mask: float, crops: int
) -> None:
    verdict = a_verdict(outcome, evidence, crops=crops, p_mask=p_mask)
    visit = decide_visit(None, verdict, NOW_MS, min_crops=1)
    decision = decide(verdict, NOW_MS)
    assert (visit.action, visit.reason) == (decision.action, decision.reason)


@pytest.mark.parametrize("negative", [-1.0, -100.0])
def test_no_door_can_ask_for_evidence_against_an_action(negative: float) -> None:
    before = a_visit((BARE, -4.0))
    doubtful = a_verdict(UNCERTAIN, 0.5)
    assert decide_visit(before, doubtful, NOW_MS, min_evidence=negative).action is MANUAL


def test_together_a_camera_opens_only_for_everybody() -> None:
    bare, masked, doubtful = (
        a_visit((said, evidence)) for said, evidence in ((BARE, -4), (MASK, 4), (UNCERTAIN, 0))
    )
    assert together([bare, bare]) is RECOGNISE
    assert together([bare, doubtful]) is MANUAL
    assert together([doubtful, bare, masked]) is REMOVE_MASK
    assert together([]) is MANUAL


def test_a_verdict_that_is_no_verdict_is_manual() -> None:
    before = a_visit((BARE, -4.0))
    for change in ({"ttl_ms": 0}, {"agreeing": 0}, {"p_mask": float("nan")}):
        odd = msgspec.structs.replace(a_verdict(UNCERTAIN, -3.0), **change)
        assert decide_visit(before, odd, NOW_MS).action is MANUAL
