"""Guarded decoding of images from untrusted senders.

Body size, magic bytes, the dimensions in the header and the structure are checked before any pixel
is decoded, so that no crop takes much longer than others.
numpy parses PPM and PGM; OpenCV decodes JPEG and PNG. Its other codecs are never reached.
"""

import re
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference import jpeg_markers, png_chunks
from maskgate.inference.limits import Limits
from maskgate.protocol.errors import Reason, UnreadableCropError

Pixels: TypeAlias = npt.NDArray[np.uint8]

PPM = "image/x-portable-pixmap"
PGM = "image/x-portable-graymap"
JPEG = "image/jpeg"
PNG = "image/png"

_MAGIC = {PPM: b"P6", PGM: b"P5", JPEG: b"\xff\xd8\xff", PNG: b"\x89PNG\r\n\x1a\n"}
_PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM_HEADER = re.compile(
    rb"P[56]" + _PNM_GAP + rb"(\d{1,9})" + _PNM_GAP + rb"(\d{1,9})" + _PNM_GAP + rb"(\d{1,9})\s"
)
_PNM_HEADER_BYTES = 512
_PNM_MAX_VALUE = 255
#: Red, green, blue and opacity of 16 bit: the largest that a PNG has.
_PNG_BYTES_OF_A_PIXEL = 8


def sniff(body: bytes) -> str | None:
    """The content type by magic bytes, or None if it is none of the four."""
    return next((kind for kind, magic in _MAGIC.items() if body.startswith(magic)), None)


def decode(body: bytes, content_type: str, limits: Limits) -> Pixels:
    """Decode an encoded image.

    Returns an array of shape (height, width, 3), RGB, or (height, width) for a PGM.

    Raises:
        UnreadableCropError: with the reason. No bytes raise anything else.
    """
    check(body, content_type, limits)
    if content_type in (PPM, PGM):
        return _parse_pnm(body, 3 if content_type == PPM else 1, limits)
    try:
        pixels = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise UnreadableCropError(Reason.BAD_IMAGE, "the codec refused the image") from error
    if pixels is None:
        raise UnreadableCropError(Reason.BAD_IMAGE, "the codec found no image")
    return np.asarray(pixels, np.uint8)


def check(body: bytes, content_type: str, limits: Limits) -> None:
    """Check all that can be checked without decoding a pixel.

    Raises:
        UnreadableCropError: with the reason.
    """
    if not body:
        raise UnreadableCropError(Reason.EMPTY_BODY)
    if len(body) > limits.body_bytes:
        raise UnreadableCropError(
            Reason.BODY_TOO_LARGE, f"{len(body)} bytes, at most {limits.body_bytes}"
        )
    magic = _MAGIC.get(content_type)
    if magic is None:
        raise UnreadableCropError(Reason.BAD_CONTENT_TYPE, f"{content_type!r}")
    if not body.startswith(magic):
        raise UnreadableCropError(Reason.CONTENT_MISMATCH, f"not the magic bytes of {content_type}")
    if content_type == JPEG:
        size = jpeg_markers.file_size if limits.local_file else jpeg_markers.crop_size
        _check_size(*size(body), limits)
    elif content_type == PNG:
        _check_size(*_png_size(body, limits), limits)


def encode_pnm(pixels: Pixels) -> tuple[bytes, str]:
    """Encode (height, width, 3) RGB as PPM, (height, width) as PGM; returns body, content type."""
    height, width = pixels.shape[:2]
    magic, content_type = (b"P6", PPM) if pixels.ndim == 3 else (b"P5", PGM)
    return b"%b %d %d 255\n" % (magic, width, height) + pixels.tobytes(), content_type


def _check_size(height: int, width: int, limits: Limits) -> None:
    if not height or not width:
        raise UnreadableCropError(Reason.BAD_IMAGE, f"{width}x{height} px")
    if max(height, width) > limits.side_px or height * width > limits.pixels:
        raise UnreadableCropError(Reason.IMAGE_TOO_LARGE, f"{width}x{height} px")


def _parse_pnm(body: bytes, channels: int, limits: Limits) -> Pixels:
    header = _PNM_HEADER.match(body, 0, _PNM_HEADER_BYTES)
    if header is None:
        raise UnreadableCropError(Reason.BAD_IMAGE, "no PNM header")
    width, height, max_value = map(int, header.groups())
    if max_value != _PNM_MAX_VALUE:
        raise UnreadableCropError(
            Reason.BAD_IMAGE, f"PNM maximum {max_value}, expected {_PNM_MAX_VALUE}"
        )
    _check_size(height, width, limits)
    wanted = height * width * channels
    if len(body) - header.end() < wanted:
        raise UnreadableCropError(Reason.BAD_IMAGE, "fewer pixels than the PNM header says")
    flat = np.frombuffer(body, np.uint8, count=wanted, offset=header.end())
    return flat.reshape((height, width, channels) if channels > 1 else (height, width))


def _png_size(body: bytes, limits: Limits) -> tuple[int, int]:
    if limits.local_file:
        return png_chunks.file_size(body)
    return png_chunks.crop_size(body, _PNG_BYTES_OF_A_PIXEL * limits.pixels)
