"""Deliveries in, crop ends out: plain functions on plain data, the only side effect is the network's arithmetic."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from maskgate.inference.card import ModelCard
from maskgate.inference.image import Pixels, decode
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Crop, Label, known_ids, parse
from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.queue import Delivery
from maskgate.protocol.verdict import Outcome


class MaskModel(Protocol):
    """What classifies: ``maskgate.inference.model.Model``, or something slower that a test puts in its place."""

    card: ModelCard

    def p_mask(self, reduced: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        """Probabilities of a mask, shape (n,), for n reduced images."""


class End(msgspec.Struct, frozen=True, gc=False):
    """How one crop ended. Ids are None where the message held no valid ones."""

    tag: int
    audit: bool
    camera_id: str | None
    crop_id: str | None
    track_id: str | None
    outcome: Outcome
    reason: Reason | None = None
    p_mask: float | None = None
    captured_at_ms: int | None = None
    label: Label | None = None
    slice: str | None = None


@dataclass(frozen=True, slots=True)
class Classified:
    """A batch's ends, in its order, and what they took."""

    ends: list[End]
    decode_s: float
    infer_s: float


def classify(
    batch: Sequence[Delivery], model: MaskModel, *, now_ms: int, max_age_ms: int, max_skew_ms: int
) -> Classified:
    """Classify a batch.

    Crops older than ``max_age_ms`` are ``expired`` and not even decoded: under overload the time goes to those whose verdict a door can
    still use. Audit samples have no door waiting, so they don't expire.

    Raises:
        ModelError: the network gave something that is not a number.
    """
    started_s = time.perf_counter()
    ends: list[End | None] = []
    crops: list[tuple[int, Delivery, Crop]] = []
    reduced: list[Pixels] = []
    for position, delivery in enumerate(batch):
        try:
            crop = parse(delivery.message, audit=delivery.audit)
            if not delivery.audit and crop.captured_at_ms + max_age_ms <= now_ms:
                ends.append(_of_crop(delivery, crop, Outcome.EXPIRED, reason=Reason.TOO_OLD))
                continue
            if crop.captured_at_ms > now_ms + max_skew_ms:
                raise UnreadableCropError(Reason.CAPTURED_IN_FUTURE)  # noqa: TRY301  (an end like every other in here)
            reduced.append(reduce(decode(crop.body, crop.content_type), model.card.input))
            crops.append((position, delivery, crop))
            ends.append(None)
        except UnreadableCropError as error:
            ends.append(_unreadable(delivery, error.reason))
    decoded_s = time.perf_counter()
    for (position, delivery, crop), p_mask in zip(
        crops, model.p_mask(reduced).tolist(), strict=True
    ):
        ends[position] = _of_crop(
            delivery, crop, Outcome(model.card.outcome(p_mask)), p_mask=p_mask
        )
    return Classified(
        ends=[end for end in ends if end is not None],
        decode_s=decoded_s - started_s,
        infer_s=time.perf_counter() - decoded_s,
    )


def _of_crop(
    delivery: Delivery,
    crop: Crop,
    outcome: Outcome,
    *,
    reason: Reason | None = None,
    p_mask: float | None = None,
) -> End:
    return End(
        tag=delivery.tag,
        audit=delivery.audit,
        camera_id=crop.camera_id,
        crop_id=crop.crop_id,
        track_id=crop.track_id,
        outcome=outcome,
        reason=reason,
        p_mask=p_mask,
        captured_at_ms=crop.captured_at_ms,
        label=crop.label,
        slice=crop.slice,
    )


def _unreadable(delivery: Delivery, reason: Reason) -> End:
    camera_id, crop_id, track_id = known_ids(delivery.message)
    return End(
        delivery.tag,
        delivery.audit,
        camera_id,
        crop_id,
        track_id,
        Outcome.UNREADABLE,
        reason=reason,
    )
