"""The camera state: whether a camera works, from its process through RabbitMQ to a hash in Redis.

A state travels under the camera's own routing key, so that the broker vouches for the camera and a
camera's user needs no further right. It is no crop: it has no outcome and is in no history. A
process sends at most one a second, and one at least every 5 s.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from maskgate.protocol.crop import MAX_TIME_MS, Message, is_crop_id, is_id, new_crop_id
from maskgate.protocol.errors import MaskgateError, Reason, UnreadableCropError
from maskgate.protocol.topology import key_owner, live_key

STATE_TYPE = "camera-state.v1"
STATE_CONTENT_TYPE = "application/json"
MAX_STATE_BYTES = 4096
MAX_DETAIL = 200
#: A state is deleted when it was sent so long ago: then nobody knows how the camera is.
STATE_TTL_MS = 15_000
#: The wake-up that a state causes; that of a crop is its id.
STATE_WAKE_UP = "camera_state"
#: A pattern of the keys below, for access rules.
CAMERA_KEYS = "camera:*"
_HELD_BACK = "held_back:"
_MOST_REASONS = 16


class CameraCondition(StrEnum):
    """A camera's condition; everything but ``UP`` means that no face can be expected from it.

    Of several that hold, a camera process tells the first in this order.
    """

    UP = "up"
    NO_SIGNAL = "no_signal"
    STALLED = "stalled"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    COVERED = "covered"
    FROZEN = "frozen"
    OUT_OF_FOCUS = "out_of_focus"


class BadCameraStateError(MaskgateError):
    """A value in Redis is not a camera's state."""


_Time = Annotated[int, msgspec.Meta(gt=0, lt=MAX_TIME_MS)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=MAX_TIME_MS)]
_HeldBackReason = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{1,32}\Z")]


class CameraState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a camera is. Times are milliseconds since the epoch, by the clock of its process.

    Counts are since the start of the process. Unknown fields of a message are ignored.
    """

    state: CameraCondition
    #: Since when it has been in this state, and when this was sent.
    since_ms: _Time = msgspec.field(name="since")
    sent_at_ms: _Time = msgspec.field(name="sent_at")
    #: What is the matter, in plain text.
    detail: Annotated[str, msgspec.Meta(max_length=MAX_DETAIL)] = ""
    #: Frames worked on a second.
    fps: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    #: The usual time of one face detection.
    detection_ms: Annotated[float, msgspec.Meta(ge=0, le=600_000)] = 0.0
    faces: _Count = 0
    #: Crops that the queue took.
    sent: _Count = 0
    #: Faces that were not sent, by reason.
    held_back: Annotated[dict[_HeldBackReason, _Count], msgspec.Meta(max_length=_MOST_REASONS)] = {}
    #: How far the camera's clock is behind that of its process; None if it does not tell the time.
    clock_difference_ms: Annotated[int, msgspec.Meta(gt=-MAX_TIME_MS, lt=MAX_TIME_MS)] | None = None

    @property
    def is_up(self) -> bool:
        """Whether faces can be expected from the camera."""
        return self.state is CameraCondition.UP

    @property
    def told(self) -> str:
        """The state for people, with its detail."""
        return f"{self.state} ({self.detail})" if self.detail else str(self.state)


class SentState(msgspec.Struct, frozen=True, gc=False):
    """A camera's state as it was received, with the camera that the broker vouches for."""

    camera_id: str
    state: CameraState


_decoder = msgspec.json.Decoder(CameraState)


def camera_key(camera_id: str) -> str:
    """The key of the hash with a camera's state."""
    return f"camera:{{{camera_id}}}"


def to_message(camera_id: str, state: CameraState) -> Message:
    """The message that carries a camera's state."""
    return Message(
        msgspec.json.encode(state),
        STATE_CONTENT_TYPE,
        STATE_TYPE,
        new_crop_id(),
        {},
        live_key(camera_id),
    )


def is_state(message: Message) -> bool:
    """Whether a message claims to be a camera's state: :func:`parse` checks it."""
    return message.type == STATE_TYPE


def parse(message: Message, *, latest_ms: int) -> SentState:
    """Check a message of the live queue; its camera is that of its routing key.

    ``latest_ms`` is the newest time at which it can have been sent.

    Raises:
        UnreadableCropError: with the reason.
    """
    if message.type != STATE_TYPE:
        raise UnreadableCropError(Reason.WRONG_TYPE, f"wanted {STATE_TYPE}")
    if not is_crop_id(message.message_id):
        raise UnreadableCropError(Reason.BAD_CROP_ID, "the message has no id")
    camera_id = key_owner(message.routing_key)
    if camera_id is None or not is_id(camera_id):
        raise UnreadableCropError(Reason.BAD_CAMERA_ID, f"{message.routing_key[:80]!r}")
    if message.content_type != STATE_CONTENT_TYPE:
        raise UnreadableCropError(Reason.BAD_CONTENT_TYPE, f"wanted {STATE_CONTENT_TYPE}")
    state = _decoded(message.body)
    if state.sent_at_ms > latest_ms:
        raise UnreadableCropError(Reason.SENT_IN_FUTURE)
    return SentState(camera_id, state)


def _decoded(body: bytes) -> CameraState:
    if not body:
        raise UnreadableCropError(Reason.EMPTY_BODY)
    if len(body) > MAX_STATE_BYTES:
        raise UnreadableCropError(
            Reason.BODY_TOO_LARGE, f"{len(body)} bytes, at most {MAX_STATE_BYTES}"
        )
    try:
        state = _decoder.decode(body)
    # ValueError: invalid UTF-8. RecursionError: deeply nested in a field that is ignored.
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableCropError(Reason.BAD_STATE, str(error)[:200]) from None
    if not _is_sound(state):
        raise UnreadableCropError(Reason.BAD_STATE, "detail or since")
    return state


def _is_sound(state: CameraState) -> bool:
    return state.detail.isprintable() and state.since_ms <= state.sent_at_ms


def to_fields(state: CameraState) -> dict[str, str]:
    """The fields of the hash in Redis; a reason of ``held_back`` has its own, ``held_back:…``."""
    plain = msgspec.to_builtins(state)
    held_back, difference = plain.pop("held_back"), plain.pop("clock_difference_ms")
    fields = {name: str(value) for name, value in plain.items()}
    fields |= {_HELD_BACK + reason: str(count) for reason, count in held_back.items()}
    return fields if difference is None else fields | {"clock_difference_ms": str(difference)}


def parse_fields(fields: Mapping[str, str]) -> CameraState | None:
    """Read the hash of a camera's state; None if the key does not exist.

    Raises:
        BadCameraStateError: the hash is something else.
    """
    if not fields:
        return None
    held_back = {
        name.removeprefix(_HELD_BACK): value
        for name, value in fields.items()
        if name.startswith(_HELD_BACK)
    }
    try:
        state = msgspec.convert({**fields, "held_back": held_back}, CameraState, strict=False)
    except msgspec.ValidationError as error:
        msg = f"not a camera's state: {error}"
        raise BadCameraStateError(msg) from None
    if not _is_sound(state):
        msg = "not a camera's state: detail or since"
        raise BadCameraStateError(msg)
    return state
