"""What a door does about a verdict: a pure function, whose answer to any doubt is "manual"."""

from dataclasses import dataclass
from enum import StrEnum

from maskgate.protocol.camera_state import CameraState
from maskgate.protocol.evidence import MIN_EVIDENCE
from maskgate.protocol.verdict import MAX_TTL_MS, Outcome, Verdict

#: How far ahead of this machine's clock a crop may have been captured.
MAX_SKEW_MS = 250
_EVEN_ODDS = 0.5


class Action(StrEnum):
    """What the door does."""

    RECOGNISE = "recognise"
    REMOVE_MASK = "remove_mask"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action and, for people and logs, its reason."""

    action: Action
    reason: str
    verdict: Verdict | None = None


def is_fresh(verdict: Verdict, now_ms: int) -> bool:
    """Whether a verdict still stands: its age is below its time to live, and not negative.

    ``now_ms`` is the door's clock, which may be behind the camera's by ``MAX_SKEW_MS``.
    """
    age_ms = now_ms - verdict.captured_at_ms
    return -MAX_SKEW_MS <= age_ms < verdict.ttl_ms <= MAX_TTL_MS


def decide(
    verdict: Verdict | None,
    now_ms: int,
    *,
    max_age_ms: int = MAX_TTL_MS,
    max_skew_ms: int = MAX_SKEW_MS,
    min_evidence: float = MIN_EVIDENCE,
) -> Decision:
    """Decide by a verdict, or by its absence.

    A verdict is too old when its age reaches its time to live, which the worker wrote into it;
    ``max_age_ms`` can only shorten that. ``now_ms`` is the door's clock. If it is slow, verdicts
    seem to come from the future; if it is fast, they seem old: both are manual, and Redis itself
    deletes a verdict when its time is over. ``min_evidence`` is what the track's crops must say
    together; see :mod:`maskgate.protocol.evidence`. The newest crop must say the same.
    """
    if verdict is None:
        return Decision(Action.MANUAL, "no verdict")
    objection = doubt(verdict, now_ms, max_age_ms=max_age_ms, max_skew_ms=max_skew_ms)
    if objection or (objection := _undecided(verdict, max(0, min_evidence))):
        return Decision(Action.MANUAL, objection, verdict)
    if verdict.outcome == Outcome.MASK:
        return Decision(Action.REMOVE_MASK, "mask", verdict)
    return Decision(Action.RECOGNISE, "no mask", verdict)


def with_camera(decision: Decision, state: CameraState | None) -> Decision:
    """The same decision; without a verdict, the camera's trouble is its reason if it is known."""
    if decision.verdict is not None or state is None or state.is_up:
        return decision
    return Decision(decision.action, f"camera is down: {state.told}")


def doubt(
    verdict: Verdict,
    now_ms: int,
    *,
    max_age_ms: int = MAX_TTL_MS,
    max_skew_ms: int = MAX_SKEW_MS,
) -> str | None:
    """Why a verdict counts for nothing, whatever it says; None if it counts. See :func:`decide`."""
    age_ms = now_ms - verdict.captured_at_ms
    must_hold = {  # stated as what must be true: a NaN makes each of these false
        f"ttl_ms {verdict.ttl_ms} is not 1 to {MAX_TTL_MS}": 0 < verdict.ttl_ms <= MAX_TTL_MS,
        f"verdict is {age_ms} ms old": age_ms < verdict.ttl_ms and age_ms < max_age_ms,
        f"verdict is {-age_ms} ms in the future, are the clocks right?": age_ms >= -max_skew_ms,
        f"p_mask {verdict.p_mask} is not a probability": 0 <= verdict.p_mask <= 1,
        f"{verdict.agreeing} of {verdict.crops} crops agree": (
            1 <= verdict.agreeing <= verdict.crops
        ),
    }
    return next((objection for objection, holds in must_hold.items() if not holds), None)


def contradicts(verdict: Verdict) -> bool:
    """Whether outcome and probability can't both be right, whatever the model's thresholds are."""
    says_mask = verdict.p_mask >= _EVEN_ODDS
    return verdict.outcome in (Outcome.MASK, Outcome.NO_MASK) and says_mask != (
        verdict.outcome == Outcome.MASK
    )


def _undecided(verdict: Verdict, min_evidence: float) -> str | None:
    must_hold = {
        f"outcome is {verdict.outcome}": verdict.outcome in (Outcome.MASK, Outcome.NO_MASK),
        f"{verdict.outcome} contradicts p_mask {verdict.p_mask}": not contradicts(verdict),
        f"evidence {verdict.log_odds:.1f} for {verdict.outcome}, {min_evidence} wanted": (
            verdict.log_odds >= min_evidence
            if verdict.outcome == Outcome.MASK
            else verdict.log_odds <= -min_evidence
        ),
    }
    return next((objection for objection, holds in must_hold.items() if not holds), None)
