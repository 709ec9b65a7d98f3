"""The crop message: one picture of one face from one camera, as it travels through RabbitMQ."""

import os
import re
import time
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.topology import AUDIT_KEY, key_owner, live_key

CROP_TYPE = "face-crop.v1"
#: A broker refuses larger messages: see ``deploy/rabbitmq/rabbitmq.conf``.
MAX_BODY_BYTES = 256 * 1024
#: Numbers in Redis's Lua are doubles, exact up to here. Nanoseconds since the epoch are above.
MAX_TIME_MS = 1 << 53

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CROP_ID = re.compile(r"[0-9a-f]{32}")
#: The largest weight of a sample: a worker draws no crop less often than one in so many.
MAX_WEIGHT = 10_000.0
_WEIGHT = re.compile(r"[0-9]{1,5}(\.[0-9]{1,9})?")
#: W3C Trace Context: version ff, and a trace or span id of zeros, are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_SAMPLED = 1


class Label(StrEnum):
    """The true label of an audit sample."""

    MASK = "mask"
    NO_MASK = "no_mask"


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as it was received; no field is checked yet.

    ``routing_key`` is the only field that the broker vouches for: it lets a camera's user publish
    under that camera's key alone.
    """

    body: bytes
    content_type: object = None
    type: object = None
    message_id: object = None
    headers: Mapping[str, object] = {}
    routing_key: str = ""


class Crop(msgspec.Struct, frozen=True, gc=False):
    """A message whose fields are all checked; the body is still an encoded image."""

    crop_id: str
    camera_id: str
    track_id: str
    captured_at_ms: int
    content_type: str
    body: bytes
    traceparent: str | None = None
    label: Label | None = None
    slice: str | None = None
    #: How many crops an audit sample stands for; None: one.
    weight: float | None = None


def new_crop_id() -> str:
    """A UUIDv7 in hex (RFC 9562, section 5.7): unique, and sorted by time."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def is_id(value: object) -> bool:
    """Whether a value is a valid camera or track id, safe inside a Redis key."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_crop_id(value: object) -> bool:
    """Whether a value is a valid id of a message."""
    return isinstance(value, str) and _CROP_ID.fullmatch(value) is not None


def to_message(crop: Crop) -> Message:
    """The message that carries a crop."""
    headers: dict[str, object] = {
        "camera_id": crop.camera_id,
        "track_id": crop.track_id,
        "captured_at": crop.captured_at_ms,
    }
    optional = {
        "traceparent": crop.traceparent,
        "label": crop.label and crop.label.value,
        "slice": crop.slice,
        "weight": None if crop.weight is None else f"{crop.weight:.9f}",
    }
    headers |= {name: value for name, value in optional.items() if value is not None}
    key = AUDIT_KEY if crop.label else live_key(crop.camera_id)
    return Message(crop.body, crop.content_type, CROP_TYPE, crop.crop_id, headers, key)


def parse(message: Message, *, audit: bool) -> Crop:
    """Check a message field by field.

    A message of the audit queue must have a label, one of the live queue must not, and its camera
    must be that of its routing key. Unknown headers are ignored: brokers and tracers add their own.

    Raises:
        UnreadableCropError: with the reason.
    """
    headers = message.headers
    if message.type != CROP_TYPE:
        raise UnreadableCropError(
            Reason.WRONG_TYPE, f"type {_shown(message.type)}, wanted {CROP_TYPE}"
        )
    crop_id = _matching(_CROP_ID, message.message_id, Reason.BAD_CROP_ID)
    camera_id = _matching(_ID, headers.get("camera_id"), Reason.BAD_CAMERA_ID)
    if not audit and message.routing_key != live_key(camera_id):
        raise UnreadableCropError(
            Reason.CAMERA_MISMATCH, f"{camera_id!r} under the key {message.routing_key[:80]!r}"
        )
    return Crop(
        crop_id=crop_id,
        camera_id=camera_id,
        track_id=_matching(_ID, headers.get("track_id", crop_id), Reason.BAD_TRACK_ID),
        captured_at_ms=_captured_at(headers.get("captured_at")),
        content_type=_content_type(message.content_type),
        body=message.body,
        traceparent=_traceparent(headers.get("traceparent")),
        label=_label(headers.get("label"), audit=audit),
        slice=_slice(headers.get("slice"), audit=audit),
        weight=_weight(headers.get("weight"), audit=audit),
    )


def known_ids(message: Message) -> tuple[str | None, str | None, str | None]:
    """Camera, crop and track id, each None if not valid: an unreadable crop is filed by these.

    A live crop's camera is that of its routing key, never the one that its header claims.
    """
    track_id = message.headers.get("track_id")
    is_audit = message.routing_key == AUDIT_KEY
    camera_id = message.headers.get("camera_id") if is_audit else key_owner(message.routing_key)
    crop_id = str(message.message_id) if is_crop_id(message.message_id) else None
    return (
        camera_id if isinstance(camera_id, str) and is_id(camera_id) else None,
        crop_id,
        track_id if isinstance(track_id, str) and is_id(track_id) else crop_id,
    )


def known_tags(message: Message) -> tuple[Label | None, str | None]:
    """Label and slice, each None if not valid: an unreadable audit sample is counted by these."""
    label, tag = message.headers.get("label"), message.headers.get("slice")
    return (
        Label(str(label)) if label in (Label.MASK, Label.NO_MASK) else None,
        str(tag) if is_id(tag) else None,
    )


def sampled_trace(message: Message) -> str | None:
    """The message's trace context, if it is valid and its sender has the crop traced."""
    trace = _traceparent(message.headers.get("traceparent"))
    return trace if trace and int(trace[-2:], 16) & _SAMPLED else None


def known_weight(message: Message) -> float | None:
    """The weight, None if not valid: an unreadable audit sample is counted by it."""
    try:
        return _weight(message.headers.get("weight"), audit=True)
    except UnreadableCropError:
        return None


def _matching(pattern: re.Pattern[str], value: object, reason: Reason) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise UnreadableCropError(reason, _shown(value))
    return value


def _captured_at(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MAX_TIME_MS:
        raise UnreadableCropError(
            Reason.BAD_CAPTURED_AT, f"{_shown(value)}, wanted integer milliseconds since the epoch"
        )
    return int(value)  # pika has its own class for 64-bit integers


def _content_type(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableCropError(Reason.BAD_CONTENT_TYPE, _shown(value))
    return value


def _traceparent(value: object) -> str | None:
    # An invalid trace is dropped: the crop must still get its verdict.
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _label(value: object, *, audit: bool) -> Label | None:
    if not audit:
        if value is not None:
            raise UnreadableCropError(Reason.UNEXPECTED_LABEL, "a live crop has no label")
        return None
    if value not in (Label.MASK, Label.NO_MASK):
        raise UnreadableCropError(Reason.BAD_LABEL, _shown(value))
    return Label(str(value))


def _slice(value: object, *, audit: bool) -> str | None:
    if value is None or not audit:
        return None
    return _matching(_ID, value, Reason.BAD_SLICE)


def _weight(value: object, *, audit: bool) -> float | None:
    if value is None or not audit:
        return None
    weight = float(_matching(_WEIGHT, value, Reason.BAD_WEIGHT))
    if not 0 < weight <= MAX_WEIGHT:
        raise UnreadableCropError(Reason.BAD_WEIGHT, f"above 0, at most {MAX_WEIGHT:.0f}")
    return weight


def _shown(value: object) -> str:
    return f"{str(value)[:80]!r} ({type(value).__name__})"
