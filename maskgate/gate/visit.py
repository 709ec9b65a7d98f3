"""What a door does about a visit: one person in front of a camera, from crop to crop.

A verdict alone decides as in :mod:`maskgate.gate.decide`. A visit asks for a least number of crops,
and a decision stands while later crops cast some doubt on it, so that a door does not flicker. Who
is held as "recognise" is held under a strict rule: the newest crop does not say mask, and the
crops together still say bare with half of the evidence that the decision took.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from maskgate.gate.decide import MAX_SKEW_MS, Action, Decision, contradicts, decide, doubt
from maskgate.protocol.evidence import MIN_EVIDENCE
from maskgate.protocol.verdict import MAX_TTL_MS, Outcome, Verdict

#: The least number of crops, unless told otherwise: one crop can be a wrong one.
MIN_CROPS = 2
#: A decision stands while the crops together say the same with this share of the evidence.
HELD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in front of a camera, and what the door does about this person now."""

    track: str
    action: Action
    reason: str
    verdict: Verdict
    #: When the first crop was captured, in milliseconds since the epoch, by the camera's clock.
    since_ms: int
    #: Since when the action has been the same, by the reader's clock.
    decided_since_ms: int

    @property
    def crops(self) -> int:
        """How many of the person's latest crops the evidence is from."""
        return self.verdict.crops


def decide_visit(
    previous: Visit | None,
    verdict: Verdict,
    now_ms: int,
    *,
    since_ms: int | None = None,
    min_evidence: float = MIN_EVIDENCE,
    min_crops: int = MIN_CROPS,
    max_age_ms: int = MAX_TTL_MS,
    max_skew_ms: int = MAX_SKEW_MS,
) -> Visit:
    """Decide about a person by the newest verdict and by what was decided before.

    ``previous`` is the last visit of the same track, or None; one of another track is not used.
    ``since_ms`` is when the track's first crop was captured, if known. A verdict counts at most 16
    crops, so ``min_crops`` above 16 is manual for ever. The others are as in
    :func:`maskgate.gate.decide.decide`.
    """
    last = previous if previous and previous.track == verdict.track_id else None
    decision = decide(
        verdict,
        now_ms,
        max_age_ms=max_age_ms,
        max_skew_ms=max_skew_ms,
        min_evidence=min_evidence,
    )
    if decision.action is not Action.MANUAL and verdict.crops < min_crops:
        decision = Decision(Action.MANUAL, f"{verdict.crops} of {min_crops} crops", verdict)
    if decision.action is Action.MANUAL and last is not None:
        is_sound = not doubt(verdict, now_ms, max_age_ms=max_age_ms, max_skew_ms=max_skew_ms)
        if is_sound and _stands(last.action, verdict, min_evidence, min_crops):
            decision = _held(last.action, decision)
    is_same = last is not None and last.action is decision.action
    return Visit(
        track=verdict.track_id,
        action=decision.action,
        reason=decision.reason,
        verdict=verdict,
        since_ms=_since(last, verdict) if since_ms is None else since_ms,
        decided_since_ms=last.decided_since_ms if last and is_same else now_ms,
    )


def together(visits: Iterable[Visit]) -> Action:
    """What a door does about everybody in front of its camera.

    Recognise if that is so for each visit, remove the mask if for any, else manual; nobody is
    manual, too.
    """
    actions = {visit.action for visit in visits}
    if actions == {Action.RECOGNISE}:
        return Action.RECOGNISE
    return Action.REMOVE_MASK if Action.REMOVE_MASK in actions else Action.MANUAL


def _stands(action: Action, verdict: Verdict, min_evidence: float, min_crops: int) -> bool:
    """Whether an earlier action stands in spite of a verdict that is sound but doubtful."""
    wanted = max(0, min_evidence) * HELD_SHARE
    if action is Action.REMOVE_MASK:
        return verdict.log_odds >= wanted
    return (
        action is Action.RECOGNISE
        and verdict.outcome in (Outcome.NO_MASK, Outcome.UNCERTAIN)
        and not contradicts(verdict)
        and verdict.log_odds <= -wanted
        and verdict.crops >= min_crops
    )


def _held(action: Action, now: Decision) -> Decision:
    said = "mask" if action is Action.REMOVE_MASK else "no mask"
    return Decision(action, f"{said} before; now {now.reason}", now.verdict)


def _since(last: Visit | None, verdict: Verdict) -> int:
    return verdict.captured_at_ms if last is None else last.since_ms
