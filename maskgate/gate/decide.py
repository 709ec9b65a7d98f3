"""From a verdict to what the door does: pure, and whatever is not sure is "manual"."""

from dataclasses import dataclass
from enum import StrEnum

from maskgate.protocol.verdict import Outcome, Verdict

#: As long as a verdict stands in Redis by default.
MAX_AGE_MS = 3000
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
    """An action and, for people and logs, why."""

    action: Action
    reason: str
    verdict: Verdict | None = None


def is_fresh(verdict: Verdict, now_ms: int) -> bool:
    """Whether a verdict's crop was captured lately and not, beyond a small skew, in the future."""
    return -MAX_SKEW_MS <= now_ms - verdict.captured_at_ms < MAX_AGE_MS


def decide(
    verdict: Verdict | None,
    now_ms: int,
    *,
    max_age_ms: int = MAX_AGE_MS,
    max_skew_ms: int = MAX_SKEW_MS,
    min_agreeing: int = 1,
) -> Decision:
    """Decide by a verdict, or by its absence.

    ``now_ms`` is the door's clock. One that is slow makes verdicts look as if they came from the future, one that is fast makes them look
    stale: both read as manual, and Redis itself drops a verdict when its time is over. ``min_agreeing`` asks for so many crops of
    the track with this outcome.
    """
    if verdict is None:
        return Decision(Action.MANUAL, "no verdict")
    age_ms = now_ms - verdict.captured_at_ms
    must_hold = {  # stated as what must be true, so that a NaN fails them
        f"verdict is {age_ms} ms old": age_ms < max_age_ms,
        f"verdict is {-age_ms} ms in the future, are the clocks right?": age_ms >= -max_skew_ms,
        f"outcome is {verdict.outcome}": verdict.outcome in (Outcome.MASK, Outcome.NO_MASK),
        f"probability {verdict.p_mask} is none": 0 <= verdict.p_mask <= 1,
        # Whatever the model's thresholds are, these two can't both be right.
        f"{verdict.outcome} contradicts p_mask {verdict.p_mask}": (verdict.outcome == Outcome.MASK)
        == (verdict.p_mask >= _EVEN_ODDS),
        f"{verdict.agreeing} of {verdict.crops} crops agree, {min_agreeing} wanted": (
            max(1, min_agreeing) <= verdict.agreeing <= verdict.crops
        ),
    }
    for objection, holds in must_hold.items():
        if not holds:
            return Decision(Action.MANUAL, objection, verdict)
    if verdict.outcome == Outcome.MASK:
        return Decision(Action.REMOVE_MASK, "mask", verdict)
    return Decision(Action.RECOGNISE, "no mask", verdict)
