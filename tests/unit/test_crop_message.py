from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.crop import (
    CROP_TYPE,
    Crop,
    Label,
    Message,
    known_ids,
    new_crop_id,
    parse,
    sampled_trace,
    to_message,
)
from maskgate.protocol.errors import Reason, UnreadableCropError

CROP = Crop("0" * 32, "lobby", "track-1", 1_790_000_000_000, "image/jpeg", b"body")
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(IDS, IDS, st.integers(1, 2**53 - 1), st.binary(max_size=100))
def test_a_crop_survives_the_message_that_carries_it(
    camera: str, track: str, captured_at_ms: int, body: bytes
) -> None:
    crop = Crop(new_crop_id(), camera, track, captured_at_ms, "image/png", body)
    assert parse(to_message(crop), audit=False) == crop


def test_an_audit_sample_survives_with_label_and_slice() -> None:
    crop = Crop("0" * 32, "lobby", "t", 1, "image/png", b"x", label=Label.MASK, slice="beard")
    assert parse(to_message(crop), audit=True) == crop


@given(st.floats(1e-4, 10_000))
def test_a_sample_says_how_many_crops_it_stands_for(weight: float) -> None:
    crop = Crop("0" * 32, "lobby", "t", 1, "image/png", b"x", label=Label.MASK, weight=weight)
    assert parse(to_message(crop), audit=True).weight == pytest.approx(weight, abs=1e-9)


def test_a_live_crop_has_no_weight_whatever_it_says() -> None:
    good = to_message(CROP)
    claims = msgspec.structs.replace(good, headers={**good.headers, "weight": "9"})
    assert parse(claims, audit=False) == CROP


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": None}, Reason.WRONG_TYPE),
        ({"type": "face-crop.v2"}, Reason.WRONG_TYPE),
        ({"message_id": None}, Reason.BAD_CROP_ID),
        ({"message_id": "A" * 32}, Reason.BAD_CROP_ID),
        ({"camera_id": None}, Reason.BAD_CAMERA_ID),
        ({"camera_id": "a:b"}, Reason.BAD_CAMERA_ID),
        ({"camera_id": "a}b"}, Reason.BAD_CAMERA_ID),
        ({"camera_id": "a\n"}, Reason.BAD_CAMERA_ID),
        ({"camera_id": b"\xff"}, Reason.BAD_CAMERA_ID),
        ({"camera_id": "a" * 65}, Reason.BAD_CAMERA_ID),
        ({"camera_id": "yard"}, Reason.CAMERA_MISMATCH),
        ({"track_id": ""}, Reason.BAD_TRACK_ID),
        ({"captured_at": None}, Reason.BAD_CAPTURED_AT),
        ({"captured_at": "1790000000000"}, Reason.BAD_CAPTURED_AT),
        ({"captured_at": 1.79e12}, Reason.BAD_CAPTURED_AT),
        ({"captured_at": True}, Reason.BAD_CAPTURED_AT),
        ({"captured_at": 1_790_000_000_000_000_000}, Reason.BAD_CAPTURED_AT),
        ({"content_type": None}, Reason.BAD_CONTENT_TYPE),
        ({"label": "mask"}, Reason.UNEXPECTED_LABEL),
    ],
)
def test_a_live_crop_with_a_bad_field_is_unreadable_for_that_reason(
    change: dict[str, Any], reason: Reason
) -> None:
    good = to_message(CROP)
    fields: dict[str, object] = {
        "content_type": good.content_type,
        "type": CROP_TYPE,
        "message_id": good.message_id,
    }
    headers = {**good.headers, **{k: v for k, v in change.items() if k not in fields}}
    fields |= {name: value for name, value in change.items() if name in fields}
    message = Message(good.body, headers=headers, routing_key=good.routing_key, **fields)
    with pytest.raises(UnreadableCropError) as caught:
        parse(message, audit=False)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, Reason.BAD_LABEL),
        ({"label": "MASK"}, Reason.BAD_LABEL),
        ({"label": "mask", "slice": "a b"}, Reason.BAD_SLICE),
        ({"label": "mask", "weight": 2.5}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "0"}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "-1"}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "10000.1"}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "1e3"}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "nan"}, Reason.BAD_WEIGHT),
        ({"label": "mask", "weight": "1\n"}, Reason.BAD_WEIGHT),
    ],
)
def test_an_audit_sample_needs_a_known_label_a_plain_slice_and_a_decimal_weight(
    headers: dict[str, object], reason: Reason
) -> None:
    good = to_message(CROP)
    with pytest.raises(UnreadableCropError) as caught:
        parse(
            Message(
                b"x", good.content_type, good.type, good.message_id, {**good.headers, **headers}
            ),
            audit=True,
        )
    assert caught.value.reason is reason


@given(
    st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.binary(), st.integers())),
    st.one_of(st.text(), st.binary()),
)
def test_no_message_raises_anything_but_unreadable(
    headers: dict[str, object], identity: object
) -> None:
    with pytest.raises(UnreadableCropError):
        parse(Message(b"", identity, CROP_TYPE, identity, headers), audit=False)


@pytest.mark.parametrize(
    ("key", "camera_id"),
    [("live.yard", "yard"), ("live.a:b", None), ("live.", None), ("lobby", None), ("", None)],
)
def test_an_unreadable_crop_is_filed_under_its_routing_key_not_under_what_it_claims(
    key: str, camera_id: str | None
) -> None:
    assert known_ids(Message(b"", headers={"camera_id": "lobby"}, routing_key=key))[0] == camera_id


def test_crop_ids_are_version_7_and_sort_by_time() -> None:
    first, second = new_crop_id(), new_crop_id()
    assert first[12] == "7"
    assert first[16] in "89ab"
    assert first[:12] <= second[:12]


TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        1,
        b"\xff",
        TRACE.upper(),
        TRACE + "\n",
        TRACE + "-more",
        TRACE[:-3],
        TRACE.replace("a", "0"),
        TRACE.replace("b", "0"),
        "ff" + TRACE[2:],
    ],
)
def test_a_crop_with_an_invalid_trace_is_read_without_it(header: object) -> None:
    message = to_message(CROP)
    message = Message(
        message.body,
        message.content_type,
        message.type,
        message.message_id,
        {**message.headers, "traceparent": header},
        message.routing_key,
    )
    assert parse(message, audit=False) == CROP
    assert sampled_trace(message) is None


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("03", True), ("00", False)])
def test_the_sender_says_whether_a_crop_is_traced(flags: str, *, sampled: bool) -> None:
    header = TRACE[:-2] + flags
    message = to_message(msgspec.structs.replace(CROP, traceparent=header))
    assert parse(message, audit=False).traceparent == header
    assert (sampled_trace(message) == header) is sampled
