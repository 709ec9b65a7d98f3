"""The review message: a crop that a person shall label, from a worker to the desk.

Workers send a share of the live crops, where the site has switched it on. The body is the picture
as the model saw it: a PPM, or a PGM of a grey model, at the model's input. A review message is
never a crop again: it has its own type, exchange and queue, and no worker reads it.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from maskgate.protocol.crop import MAX_BODY_BYTES, MAX_TIME_MS, Message, is_crop_id, is_id
from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.topology import REVIEW_KEY
from maskgate.protocol.verdict import Outcome

REVIEW_TYPE = "review-crop.v1"
CONTENT_TYPES = ("image/x-portable-pixmap", "image/x-portable-graymap")
#: A worker refuses smaller shares: the weight of such a crop would drown all others.
MIN_PROBABILITY = 1e-4

_DECIMAL = re.compile(r"[01]\.[0-9]{1,9}")
_CLASSIFIED = (Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)
WordT = TypeVar("WordT", bound=StrEnum)
_MODEL = re.compile(r"[ -~]{1,200}")


class Why(StrEnum):
    """What drew a crop; of several, the last one in this order."""

    RANDOM = "random"
    UNCERTAIN = "uncertain"
    DISAGREEMENT = "disagreement"


class ReviewCrop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A crop to label, with what the model said.

    ``inclusion_probability`` is the probability with which this crop was drawn: its reciprocal is
    the crop's weight in an estimate for all crops (Horvitz and Thompson, JASA 47, 1952).
    ``keep_until_ms`` is when it must be deleted, in milliseconds since the epoch.
    """

    crop_id: str
    camera_id: str
    track_id: str
    captured_at_ms: int
    p_mask: float
    outcome: Outcome
    model: str
    why: Why
    inclusion_probability: float
    keep_until_ms: int
    content_type: str
    body: bytes


def to_message(crop: ReviewCrop) -> Message:
    """The message that carries a crop to label."""
    headers: dict[str, object] = {
        "camera_id": crop.camera_id,
        "track_id": crop.track_id,
        "captured_at": crop.captured_at_ms,
        "p_mask": f"{crop.p_mask:.9f}",
        "outcome": crop.outcome.value,
        "model": crop.model,
        "why": crop.why.value,
        "inclusion_probability": f"{crop.inclusion_probability:.9f}",
        "keep_until": crop.keep_until_ms,
    }
    return Message(crop.body, crop.content_type, REVIEW_TYPE, crop.crop_id, headers, REVIEW_KEY)


def parse(message: Message) -> ReviewCrop:
    """Check a message of the review queue field by field; the picture is not decoded.

    Raises:
        UnreadableCropError: with the reason.
    """
    headers = message.headers
    _require(message.type == REVIEW_TYPE, Reason.WRONG_TYPE, "type")
    _require(is_crop_id(message.message_id), Reason.BAD_CROP_ID, "message_id")
    _require(is_id(headers.get("camera_id")), Reason.BAD_CAMERA_ID, "camera_id")
    _require(is_id(headers.get("track_id")), Reason.BAD_TRACK_ID, "track_id")
    _require(message.content_type in CONTENT_TYPES, Reason.BAD_CONTENT_TYPE, "content_type")
    _require(len(message.body) > 0, Reason.EMPTY_BODY, "body")
    _require(len(message.body) <= MAX_BODY_BYTES, Reason.BODY_TOO_LARGE, "body")
    return ReviewCrop(
        crop_id=str(message.message_id),
        camera_id=str(headers["camera_id"]),
        track_id=str(headers["track_id"]),
        captured_at_ms=_time(headers, "captured_at", Reason.BAD_CAPTURED_AT),
        p_mask=_share(headers, "p_mask", least=0),
        outcome=_word(headers, "outcome", Outcome, _CLASSIFIED),
        model=_model(headers),
        why=_word(headers, "why", Why, tuple(Why)),
        inclusion_probability=_share(headers, "inclusion_probability", least=MIN_PROBABILITY),
        keep_until_ms=_time(headers, "keep_until", Reason.BAD_REVIEW),
        content_type=str(message.content_type),
        body=message.body,
    )


def _require(holds: bool, reason: Reason, name: str) -> None:  # noqa: FBT001  (a condition)
    if not holds:
        raise UnreadableCropError(reason, name)


def _time(headers: Mapping[str, object], name: str, reason: Reason) -> int:
    value = headers.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MAX_TIME_MS:
        raise UnreadableCropError(reason, f"{name}: wanted integer milliseconds since the epoch")
    return int(value)


def _share(headers: Mapping[str, object], name: str, *, least: float) -> float:
    value = headers.get(name)
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        raise UnreadableCropError(Reason.BAD_REVIEW, f"{name}: wanted a decimal such as 0.102")
    _require(least <= float(value) <= 1, Reason.BAD_REVIEW, f"{name}: out of range")
    return float(value)


def _word(
    headers: Mapping[str, object], name: str, kind: type[WordT], allowed: tuple[WordT, ...]
) -> WordT:
    value = headers.get(name)
    if value not in allowed:
        raise UnreadableCropError(Reason.BAD_REVIEW, f"{name}: not one of {', '.join(allowed)}")
    return kind(str(value))


def _model(headers: Mapping[str, object]) -> str:
    value = headers.get("model")
    if not isinstance(value, str) or _MODEL.fullmatch(value) is None:
        raise UnreadableCropError(Reason.BAD_REVIEW, "model: wanted printable ASCII")
    return value
