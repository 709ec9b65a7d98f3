import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.crop import CROP_TYPE, Message, new_crop_id
from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.review import REVIEW_TYPE, ReviewCrop, Why, parse, to_message
from maskgate.protocol.verdict import Outcome

CROP = ReviewCrop(
    crop_id="0" * 32,
    camera_id="lobby",
    track_id="track-1",
    captured_at_ms=1_790_000_000_000,
    p_mask=0.512345678,
    outcome=Outcome.UNCERTAIN,
    model="mask 1",
    why=Why.UNCERTAIN,
    inclusion_probability=0.1018,
    keep_until_ms=1_792_000_000_000,
    content_type="image/x-portable-pixmap",
    body=b"P6 1 1 255\nabc",
)


@given(
    st.floats(0, 1),
    st.floats(1e-4, 1),
    st.sampled_from([Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN]),
    st.sampled_from(Why),
    st.binary(min_size=1, max_size=50),
)
def test_a_crop_to_label_survives_the_message_that_carries_it(
    p_mask: float, probability: float, outcome: Outcome, why: Why, body: bytes
) -> None:
    crop = msgspec.structs.replace(
        CROP,
        crop_id=new_crop_id(),
        p_mask=p_mask,
        inclusion_probability=probability,
        outcome=outcome,
        why=why,
        body=body,
    )
    found = parse(to_message(crop))
    assert found.p_mask == pytest.approx(p_mask, abs=1e-9)
    assert found.inclusion_probability == pytest.approx(probability, abs=1e-9)
    assert found == msgspec.structs.replace(
        crop, p_mask=found.p_mask, inclusion_probability=found.inclusion_probability
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("camera_id", "a:b", Reason.BAD_CAMERA_ID),
        ("camera_id", None, Reason.BAD_CAMERA_ID),
        ("track_id", "a\n", Reason.BAD_TRACK_ID),
        ("captured_at", "1790000000000", Reason.BAD_CAPTURED_AT),
        ("captured_at", True, Reason.BAD_CAPTURED_AT),
        ("keep_until", None, Reason.BAD_REVIEW),
        ("keep_until", 1 << 53, Reason.BAD_REVIEW),
        ("p_mask", 0.5, Reason.BAD_REVIEW),
        ("p_mask", "nan", Reason.BAD_REVIEW),
        ("p_mask", "1.1", Reason.BAD_REVIEW),
        ("p_mask", "0.5\n", Reason.BAD_REVIEW),
        ("p_mask", "0.٥", Reason.BAD_REVIEW),
        ("outcome", "expired", Reason.BAD_REVIEW),
        ("outcome", ["mask"], Reason.BAD_REVIEW),
        ("why", "curious", Reason.BAD_REVIEW),
        ("model", "", Reason.BAD_REVIEW),
        ("model", "m\n", Reason.BAD_REVIEW),
        ("inclusion_probability", "0.0", Reason.BAD_REVIEW),
        ("inclusion_probability", "0.00001", Reason.BAD_REVIEW),
        ("inclusion_probability", "1.5", Reason.BAD_REVIEW),
        ("inclusion_probability", None, Reason.BAD_REVIEW),
    ],
)
def test_a_bad_header_makes_the_message_unreadable(
    name: str, value: object, reason: Reason
) -> None:
    good = to_message(CROP)
    bad = msgspec.structs.replace(good, headers={**good.headers, name: value})
    with pytest.raises(UnreadableCropError) as caught:
        parse(bad)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("type", CROP_TYPE, Reason.WRONG_TYPE),
        ("message_id", "A" * 32, Reason.BAD_CROP_ID),
        ("content_type", "image/png", Reason.BAD_CONTENT_TYPE),
        ("body", b"", Reason.EMPTY_BODY),
        ("body", bytes(256 * 1024 + 1), Reason.BODY_TOO_LARGE),
    ],
)
def test_a_bad_property_makes_the_message_unreadable(
    field: str, value: object, reason: Reason
) -> None:
    bad = msgspec.structs.replace(to_message(CROP), **{field: value})
    with pytest.raises(UnreadableCropError) as caught:
        parse(bad)
    assert caught.value.reason is reason


@given(
    st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.binary(), st.integers())),
    st.one_of(st.text(), st.binary()),
)
def test_no_message_raises_anything_but_unreadable(
    headers: dict[str, object], identity: object
) -> None:
    with pytest.raises(UnreadableCropError):
        parse(Message(b"x", identity, REVIEW_TYPE, identity, headers))
