"""A crop's result as a worker would write it, and writing it."""

from collections.abc import Sequence

from maskgate.protocol.crop import Label
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult
from worker.store.verdict_store import VerdictStore

_P_MASK = {Outcome.MASK: 0.99, Outcome.NO_MASK: 0.01, Outcome.UNCERTAIN: 0.5}


def live_result(
    crop_id: str,
    captured_at_ms: int | None,
    outcome: Outcome = Outcome.MASK,
    *,
    p_mask: float | None = None,
    camera: str = "lobby",
    track: str = "t",
) -> CropResult:
    return CropResult(
        tag=1,
        queue=QueueKind.LIVE,
        outcome=outcome,
        camera_id=camera,
        crop_id=crop_id,
        track_id=track,
        p_mask=_P_MASK.get(outcome) if p_mask is None else p_mask,
        captured_at_ms=captured_at_ms,
    )


def audit_result(
    crop_id: str,
    label: Label | None = Label.MASK,
    outcome: Outcome = Outcome.MASK,
    slice_name: str | None = None,
    *,
    camera: str = "lobby",
) -> CropResult:
    return CropResult(
        tag=1,
        queue=QueueKind.AUDIT,
        outcome=outcome,
        camera_id=camera,
        crop_id=crop_id,
        track_id=crop_id,
        label=label,
        slice=slice_name,
    )


def write(store: VerdictStore, results: Sequence[CropResult]) -> None:
    """Write with nothing to do while the store works."""
    with store.writing(results):
        pass
