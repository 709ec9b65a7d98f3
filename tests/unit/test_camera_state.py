"""The camera state as a message and as a hash in Redis."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.camera_state import (
    MAX_STATE_BYTES,
    BadCameraStateError,
    CameraCondition,
    CameraState,
    SentState,
    is_state,
    parse,
    parse_fields,
    to_fields,
    to_message,
)
from maskgate.protocol.crop import MAX_TIME_MS, Message
from maskgate.protocol.crop import parse as parse_crop
from maskgate.protocol.errors import Reason, UnreadableCropError

NOW_MS = 1_790_000_000_000
PLAIN = CameraState(state=CameraCondition.UP, since_ms=NOW_MS - 5000, sent_at_ms=NOW_MS)
FULL = CameraState(
    state=CameraCondition.NO_SIGNAL,
    since_ms=NOW_MS - 5000,
    sent_at_ms=NOW_MS,
    detail="connection refused – größer",
    fps=9.5,
    detection_ms=16.25,
    faces=12,
    sent=7,
    held_back={"too_small": 3, "blurred": 2},
    clock_difference_ms=-40,
)


def a_message(body: bytes | dict[str, Any], **changes: Any) -> Message:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return msgspec.structs.replace(to_message("lobby", PLAIN), body=encoded, **changes)


def a_body(**changes: Any) -> dict[str, Any]:
    return {"state": "up", "since": NOW_MS - 5000, "sent_at": NOW_MS, **changes}


def reason_of(message: Message) -> Reason:
    with pytest.raises(UnreadableCropError) as caught:
        parse(message, latest_ms=NOW_MS + 250)
    return caught.value.reason


@pytest.mark.parametrize("state", [PLAIN, FULL])
def test_a_state_survives_the_message_and_the_hash(state: CameraState) -> None:
    message = to_message("lobby", state)
    assert parse(message, latest_ms=NOW_MS) == SentState("lobby", state)
    assert parse_fields(to_fields(state)) == state
    assert is_state(message)


def test_a_sender_needs_no_more_than_three_fields_and_may_add_others() -> None:
    assert parse(a_message(a_body()), latest_ms=NOW_MS).state == PLAIN
    assert parse(a_message(a_body(later={"a": [1]})), latest_ms=NOW_MS).state == PLAIN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "camera-state.v2"}, Reason.WRONG_TYPE),
        ({"type": None}, Reason.WRONG_TYPE),
        ({"message_id": None}, Reason.BAD_CROP_ID),
        ({"message_id": "A" * 32}, Reason.BAD_CROP_ID),
        ({"routing_key": "live.a:b"}, Reason.BAD_CAMERA_ID),
        ({"routing_key": "live."}, Reason.BAD_CAMERA_ID),
        ({"routing_key": "audit"}, Reason.BAD_CAMERA_ID),
        ({"content_type": None}, Reason.BAD_CONTENT_TYPE),
        ({"content_type": "image/jpeg"}, Reason.BAD_CONTENT_TYPE),
        ({"body": b""}, Reason.EMPTY_BODY),
        ({"body": b" " * (MAX_STATE_BYTES + 1)}, Reason.BODY_TOO_LARGE),
    ],
)
def test_a_message_with_a_bad_property_is_unreadable_for_that_reason(
    changes: dict[str, Any], reason: Reason
) -> None:
    assert reason_of(msgspec.structs.replace(a_message(a_body()), **changes)) is reason


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"state":"up","since":1,"sent_at":1,"detail":"\xff\xfe"}',
        b'{"state":"up","since":1,"sent_at":1,"fps":1e999}',
        b'{"state":"up","since":1,"sent_at":1,"fps":NaN}',
        b'{"state":"up","since":1,"sent_at":1,"x":' + b"[" * 3900,
        b'{"state":"up","since":1,"sent_at":1,"x":' + b"[" * 1900 + b"]" * 1900 + b"}",
        {"state": "up"},
        a_body(state="broken"),
        a_body(state=None),
        a_body(since=0),
        a_body(since=NOW_MS + 1),
        a_body(since="1"),
        a_body(sent_at=True),
        a_body(sent_at=1.5),
        a_body(sent_at=MAX_TIME_MS),
        a_body(detail="x" * 201),
        a_body(detail="a\nb"),
        a_body(detail="\x1b[31m"),
        a_body(detail="\u202e"),
        a_body(detail="\ud800"),
        a_body(fps=-1),
        a_body(fps="9"),
        a_body(detection_ms=1e9),
        a_body(faces=-1),
        a_body(faces=1 << 60),
        a_body(held_back=[]),
        a_body(held_back={"a b": 1}),
        a_body(held_back={"a\n": 1}),
        a_body(held_back={"a": -1}),
        a_body(held_back={f"r{i}": 1 for i in range(17)}),
        a_body(clock_difference_ms=1 << 60),
    ],
    ids=repr,
)
def test_a_body_that_is_no_state_is_unreadable(body: bytes | dict[str, Any]) -> None:
    assert reason_of(a_message(body)) is Reason.BAD_STATE


def test_a_state_from_the_future_is_unreadable() -> None:
    assert parse(a_message(a_body(sent_at=NOW_MS + 250)), latest_ms=NOW_MS + 250)
    assert reason_of(a_message(a_body(sent_at=NOW_MS + 251))) is Reason.SENT_IN_FUTURE


@given(st.binary() | st.text().map(str.encode))
def test_no_body_raises_anything_but_unreadable(body: bytes) -> None:
    reason_of(a_message(body))


@given(st.text(), st.binary() | st.text() | st.none(), st.binary() | st.text() | st.none())
def test_no_property_raises_anything_but_unreadable(
    key: str, identity: object, content_type: object
) -> None:
    changes = {"routing_key": key, "message_id": identity, "content_type": content_type}
    reason_of(a_message(a_body(), **changes))


def test_a_state_is_no_crop_and_a_crop_no_state() -> None:
    with pytest.raises(UnreadableCropError, match="wrong_type"):
        parse_crop(to_message("lobby", PLAIN), audit=False)
    with pytest.raises(UnreadableCropError, match="wrong_type"):
        parse_crop(to_message("lobby", PLAIN), audit=True)


@given(st.dictionaries(st.sampled_from([*to_fields(FULL), "held_back:\n", "x"]), st.text()))
def test_garbage_in_redis_is_no_state(fields: dict[str, str]) -> None:
    try:
        assert parse_fields(fields) is None
    except BadCameraStateError:
        assert fields


@pytest.mark.parametrize(
    "change", [{"state": "broken"}, {"detail": "\x1b[2J"}, {"since": "9" * 15}, {"fps": "nan"}]
)
def test_a_damaged_hash_is_no_state(change: dict[str, str]) -> None:
    with pytest.raises(BadCameraStateError):
        parse_fields(to_fields(FULL) | change)
