"""What became of one crop: the plain record that validation, inference, Redis and metrics share."""

import msgspec

from maskgate.protocol.crop import Crop, Label
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.verdict import Outcome

_WITHOUT_VERDICT = (Outcome.UNREADABLE, Outcome.EXPIRED)


class CropResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The outcome of one delivery; ``tag`` is the delivery's.

    An id is None where the message held no valid one. Redis's functions read these field names.
    """

    tag: int
    queue: QueueKind
    outcome: Outcome
    camera_id: str | None = None
    crop_id: str | None = None
    track_id: str | None = None
    reason: Reason | None = None
    p_mask: float | None = None
    captured_at_ms: int | None = None
    label: Label | None = None
    slice: str | None = None
    weight: float | None = None

    @classmethod
    def of_crop(
        cls,
        delivery: Delivery,
        crop: Crop,
        outcome: Outcome,
        *,
        reason: Reason | None = None,
        p_mask: float | None = None,
    ) -> "CropResult":
        """The result of a message that is a crop."""
        return cls(
            tag=delivery.tag,
            queue=delivery.queue,
            outcome=outcome,
            camera_id=crop.camera_id,
            crop_id=crop.crop_id,
            track_id=crop.track_id,
            reason=reason,
            p_mask=p_mask,
            captured_at_ms=crop.captured_at_ms,
            label=crop.label,
            slice=crop.slice,
            weight=crop.weight,
        )

    @property
    def has_verdict(self) -> bool:
        """Whether the crop was classified: a door may read the outcome."""
        return self.outcome not in _WITHOUT_VERDICT
