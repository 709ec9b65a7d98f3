import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from maskgate.inference.card import InputShape
from maskgate.inference.image import JPEG, PGM, PNG, PPM, Pixels, decode, encode_pnm, sniff
from maskgate.inference.limits import FILE_LIMITS, crop_limits
from maskgate.inference.preprocess import normalise, reduce
from maskgate.protocol.crop import MAX_BODY_BYTES
from maskgate.protocol.errors import Reason, UnreadableCropError

LIMITS = crop_limits(InputShape(28, 28, 3))
RNG = np.random.default_rng(0)
PICTURE: Pixels = np.asarray(
    cv2.GaussianBlur(RNG.integers(0, 255, (40, 30, 3), np.uint8), (0, 0), 3), np.uint8
)
AS_JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
AS_PNG = cv2.imencode(".png", PICTURE)[1].tobytes()
PICTURE_WITH_TEXT = PngImagePlugin.PngInfo()
PICTURE_WITH_TEXT.add_text("Comment", "text" * 1000, zip=True)
HUGE_PNG = AS_PNG[:16] + struct.pack(">II", 100_000, 100_000) + AS_PNG[24:]
HUGE_JPEG = AS_JPEG.replace(struct.pack(">HH", 40, 30), struct.pack(">HH", 65535, 65535), 1)


def test_png_decodes_to_the_same_rgb_pixels() -> None:
    assert (decode(AS_PNG, PNG, LIMITS) == PICTURE[:, :, ::-1]).all()


@pytest.mark.parametrize("pixels", [PICTURE, PICTURE[:, :, 0].copy()], ids=["colour", "grey"])
def test_pnm_survives_a_round_trip(pixels: Pixels) -> None:
    assert (decode(*encode_pnm(pixels), LIMITS) == pixels).all()


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", JPEG, Reason.EMPTY_BODY),
        (b"\xff", JPEG, Reason.CONTENT_MISMATCH),
        (AS_JPEG, PNG, Reason.CONTENT_MISMATCH),
        (b"GIF89a", "image/gif", Reason.BAD_CONTENT_TYPE),
        (b"\xff\xd8\xff" + b"\0" * MAX_BODY_BYTES, JPEG, Reason.BODY_TOO_LARGE),
        (AS_JPEG[:20], JPEG, Reason.BAD_IMAGE),
        (AS_PNG[:20], PNG, Reason.BAD_IMAGE),
        (HUGE_PNG, PNG, Reason.IMAGE_TOO_LARGE),
        (HUGE_JPEG, JPEG, Reason.IMAGE_TOO_LARGE),
        (AS_PNG[:16] + struct.pack(">II", 0, 5) + AS_PNG[24:], PNG, Reason.BAD_IMAGE),
        (b"P6 4 4 255\n" + b"\0" * 47, PPM, Reason.BAD_IMAGE),
        (b"P6 4 4 65535\n" + b"\0" * 96, PPM, Reason.BAD_IMAGE),
        (b"P5 100000 100000 255\n", PGM, Reason.IMAGE_TOO_LARGE),
        (b"P5 x", PGM, Reason.BAD_IMAGE),
    ],
)
def test_a_bad_image_is_unreadable_for_its_reason(
    body: bytes, content_type: str, reason: Reason
) -> None:
    with pytest.raises(UnreadableCropError) as caught:
        decode(body, content_type, LIMITS)
    assert caught.value.reason is reason


def test_a_body_of_the_largest_size_is_decoded() -> None:
    assert decode(AS_PNG + bytes(MAX_BODY_BYTES - len(AS_PNG)), PNG, LIMITS).shape == PICTURE.shape


@pytest.mark.parametrize(
    ("height", "width", "pixels"),
    [(28, 28, 512 * 512), (64, 64, 512 * 512), (300, 400, 600 * 800)],
)
def test_a_crop_may_have_512_px_a_side_or_twice_the_models_input(
    height: int, width: int, pixels: int
) -> None:
    assert crop_limits(InputShape(height, width, 3)).pixels == pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_local_photograph_may_be_large_and_carry_text(kind: str) -> None:
    stream = io.BytesIO()
    options: dict[str, object] = (
        {"exif": b"Exif\0\0" + bytes(30_000), "progressive": True, "icc_profile": bytes(3000)}
        if kind == "JPEG"
        else {"pnginfo": PICTURE_WITH_TEXT}
    )
    Image.new("RGB", (800, 700)).save(stream, kind, **options)
    body = stream.getvalue()
    assert decode(body, sniff(body) or "", FILE_LIMITS).shape == (700, 800, 3)
    with pytest.raises(UnreadableCropError) as caught:
        decode(body, sniff(body) or "", LIMITS)
    assert caught.value.reason is Reason.UNSUPPORTED_IMAGE


@given(st.binary(max_size=300), st.sampled_from([JPEG, PNG, PPM, PGM]), st.integers(3, 200))
def test_no_bytes_raise_anything_but_unreadable(noise: bytes, content_type: str, at: int) -> None:
    good = {
        JPEG: AS_JPEG,
        PNG: AS_PNG,
        PPM: encode_pnm(PICTURE)[0],
        PGM: encode_pnm(PICTURE[:, :, 0].copy())[0],
    }[content_type]
    try:
        assert (
            decode(good[:at] + noise + good[at + len(noise) :], content_type, LIMITS).dtype
            == np.uint8
        )
    except UnreadableCropError as error:
        assert error.reason in Reason


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (500, 3), (112, 112)])
def test_any_image_reduces_to_the_models_input(channels: int, size: tuple[int, int]) -> None:
    shape = InputShape(28, 28, channels)
    for pixels in (np.zeros((*size, 3), np.uint8), np.full(size, 255, np.uint8)):
        assert reduce(pixels, shape).shape == (28, 28, channels)


def test_grey_is_repeated_and_normalised_from_minus_one_to_one() -> None:
    batch = normalise(
        [
            reduce(np.full((9, 9), 255, np.uint8), InputShape(28, 28, 3)),
            np.zeros((28, 28, 3), np.uint8),
        ]
    )
    assert batch.shape == (2, 3, 28, 28)
    assert (batch[0] == 1).all()
    assert (batch[1] == -1).all()


def test_what_the_producer_reduced_the_worker_leaves_as_it_is() -> None:
    once = reduce(PICTURE, InputShape(28, 28, 3))
    assert (reduce(decode(*encode_pnm(once), LIMITS), InputShape(28, 28, 3)) == once).all()
