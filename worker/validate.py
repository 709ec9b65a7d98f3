"""Which crops of a batch can be classified: checks each message and decodes its image.

Camera states come through the same queue; they are checked here and are no crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode
from maskgate.inference.limits import crop_limits
from maskgate.inference.preprocess import reduce
from maskgate.protocol import camera_state
from maskgate.protocol.camera_state import SentState
from maskgate.protocol.crop import Crop, known_ids, known_tags, known_weight, parse
from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult


class ReadableCrop(msgspec.Struct, frozen=True, gc=False):
    """A crop with its decoded image, reduced to the model's input."""

    delivery: Delivery
    crop: Crop
    image: Pixels


@dataclass(frozen=True, slots=True)
class Validated:
    """A batch in three parts, each in the order received.

    Crops to classify, messages that are finished without it, and camera states.
    """

    readable: list[ReadableCrop] = field(default_factory=list)
    finished: list[CropResult] = field(default_factory=list)
    states: list[SentState] = field(default_factory=list)


def validate(
    batch: Sequence[Delivery], shape: InputShape, *, now_ms: int, max_age_ms: int, max_skew_ms: int
) -> Validated:
    """Check and decode a batch.

    A live crop older than ``max_age_ms`` becomes ``expired`` and is not decoded: under overload,
    the time goes to crops whose verdict a door can still use. Nobody waits for an audit sample, so
    it does not expire. A crop or a camera state stamped more than ``max_skew_ms`` after ``now_ms``
    is ``unreadable``.
    """
    validated, limits = Validated(), crop_limits(shape)
    for delivery in batch:
        try:
            if delivery.queue is QueueKind.LIVE and camera_state.is_state(delivery.message):
                latest_ms = now_ms + max_skew_ms
                validated.states.append(camera_state.parse(delivery.message, latest_ms=latest_ms))
                continue
            crop = parse(delivery.message, audit=delivery.queue is QueueKind.AUDIT)
            if delivery.queue is QueueKind.LIVE and crop.captured_at_ms + max_age_ms <= now_ms:
                validated.finished.append(
                    CropResult.of_crop(delivery, crop, Outcome.EXPIRED, reason=Reason.TOO_OLD)
                )
            else:
                _refuse_future(crop, now_ms + max_skew_ms)
                image = reduce(decode(crop.body, crop.content_type, limits), shape)
                validated.readable.append(ReadableCrop(delivery, crop, image))
        except UnreadableCropError as error:
            validated.finished.append(unreadable(delivery, error.reason))
    return validated


def _refuse_future(crop: Crop, latest_ms: int) -> None:
    if crop.captured_at_ms > latest_ms:
        raise UnreadableCropError(Reason.CAPTURED_IN_FUTURE)


def unreadable(delivery: Delivery, reason: Reason) -> CropResult:
    """The result of a crop that is not classified, filed by the ids that are valid."""
    camera_id, crop_id, track_id = known_ids(delivery.message)
    is_audit = delivery.queue is QueueKind.AUDIT
    label, tag = known_tags(delivery.message) if is_audit else (None, None)
    return CropResult(
        tag=delivery.tag,
        queue=delivery.queue,
        outcome=Outcome.UNREADABLE,
        camera_id=camera_id,
        crop_id=crop_id,
        track_id=track_id,
        reason=reason,
        label=label,
        slice=tag,
        weight=known_weight(delivery.message) if is_audit else None,
    )
