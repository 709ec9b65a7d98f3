"""From a verdict to what the door does: pure, and whatever is not sure is "manual"."""

import math
from dataclasses import dataclass
from enum import StrEnum

from contract.verdict import Outcome, Verdict

#: As long as a verdict stands in Redis by default.
MAX_AGE_MS = 3000
#: How far ahead of this machine's clock a crop may have been captured.
MAX_SKEW_MS = 250


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
    refusals = {
        f"verdict is {age_ms} ms old": age_ms >= max_age_ms,
        f"verdict is {-age_ms} ms in the future": age_ms < -max_skew_ms,
        f"probability {verdict.p_mask} is none": not (math.isfinite(verdict.p_mask) and 0 <= verdict.p_mask <= 1),
        f"{verdict.agreeing} of {verdict.crops} crops agree, {min_agreeing} wanted": not min_agreeing <= verdict.agreeing <= verdict.crops,
        f"outcome is {verdict.outcome}": verdict.outcome not in (Outcome.MASK, Outcome.NO_MASK),
        # Whatever the thresholds were, these two can't both be right.
        "outcome contradicts probability": (verdict.outcome is Outcome.NO_MASK) == (verdict.p_mask > 0.5),  # noqa: PLR2004  (even odds)
    }
    for reason, holds in refusals.items():
        if holds:
            return Decision(Action.MANUAL, reason, verdict)
    if verdict.outcome is Outcome.MASK:
        return Decision(Action.REMOVE_MASK, "mask", verdict)
    return Decision(Action.RECOGNISE, "no mask", verdict)
