"""A door without broker and Redis: classifies what a camera sends, and decides about each track.

The crops say together what :mod:`maskgate.protocol.evidence` says, as in Redis; the integration
tests show that both agree.
"""

from maskgate.gate.visit import Visit, decide_visit
from maskgate.inference.image import decode
from maskgate.inference.limits import FILE_LIMITS
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Message, parse
from maskgate.protocol.evidence import CROPS, evidence
from maskgate.protocol.verdict import DEFAULT_TTL_MS, Outcome, Verdict


class Door:
    """Classifies what a camera sends and decides about each track, as workers and gate do."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.crops: dict[str, list[tuple[int, float]]] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.visits: dict[str, Visit] = {}

    def classify(self, message: Message) -> None:
        """A crop becomes its track's verdict."""
        crop = parse(message, audit=False)
        pixels = reduce(decode(crop.body, crop.content_type, FILE_LIMITS), self._model.card.input)
        p_mask = float(self._model.p_mask(pixels[None])[0])
        outcome = Outcome(self._model.card.outcome(p_mask))
        crops = self.crops.setdefault(crop.track_id, [])
        crops.append((crop.captured_at_ms, p_mask))
        outcomes = [self._model.card.outcome(p) for _, p in crops[-CROPS:]]
        self.verdicts[crop.track_id] = Verdict(
            crop_id=crop.crop_id,
            track_id=crop.track_id,
            outcome=outcome,
            p_mask=p_mask,
            captured_at_ms=crop.captured_at_ms,
            decided_at_ms=crop.captured_at_ms,
            model=self._model.card.name,
            crops=len(outcomes),
            agreeing=outcomes.count(outcome.value),
            ttl_ms=DEFAULT_TTL_MS,
            evidence=evidence(crops),
        )

    def decide(self, now_ms: int) -> None:
        """Decide about every track."""
        for track_id, verdict in self.verdicts.items():
            self.visits[track_id] = decide_visit(self.visits.get(track_id), verdict, now_ms)
