"""Guarded decoding of images from untrusted senders.

Body size, magic bytes and the dimensions in the header are checked before any pixel is decoded.
numpy parses PPM and PGM; OpenCV decodes JPEG and PNG. Its other codecs are never reached.
"""

import re
import struct
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.protocol.crop import MAX_BODY_BYTES
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
_JPEG_NO_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG_HEADER_BYTES = 24
_PNG_CHUNK_FRAME = 12  # length, name and checksum


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is decoded."""

    body_bytes: int
    side_px: int
    pixels: int


#: For crops from the network. 2^22 pixels take 12 MiB.
MESSAGE_LIMITS = Limits(body_bytes=MAX_BODY_BYTES, side_px=4096, pixels=1 << 22)
#: For files on a local disk: whole photographs.
FILE_LIMITS = Limits(body_bytes=32 * 1024 * 1024, side_px=16384, pixels=1 << 26)


def sniff(body: bytes) -> str | None:
    """The content type by magic bytes, or None if it is none of the four."""
    return next((kind for kind, magic in _MAGIC.items() if body.startswith(magic)), None)


def decode(body: bytes, content_type: str, limits: Limits = MESSAGE_LIMITS) -> Pixels:
    """Decode an encoded image.

    Returns an array of shape (height, width, 3), RGB, or (height, width) for a PGM.

    Raises:
        UnreadableCropError: with the reason. No bytes raise anything else.
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
    if content_type in (PPM, PGM):
        return _parse_pnm(body, 3 if content_type == PPM else 1, limits)
    _check_size(*(_jpeg_size(body) if content_type == JPEG else _png_size(body)), limits)
    try:
        pixels = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise UnreadableCropError(Reason.BAD_IMAGE, "the codec refused the image") from error
    if pixels is None:
        raise UnreadableCropError(Reason.BAD_IMAGE, "the codec found no image")
    return np.asarray(pixels, np.uint8)


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


def _png_size(body: bytes) -> tuple[int, int]:
    """Height and width from IHDR; every chunk up to IEND must be complete (W3C PNG, section 5)."""
    if len(body) < _PNG_HEADER_BYTES or body[12:16] != b"IHDR":
        raise UnreadableCropError(Reason.BAD_IMAGE, "no PNG header")
    # OpenCV allocates the length that a chunk states before it reads it: 350 MB for a 2 kB body.
    at = 8
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        at += _PNG_CHUNK_FRAME + length
        if at > len(body):
            raise UnreadableCropError(Reason.BAD_IMAGE, "a PNG chunk is longer than the body")
        if body[at - _PNG_CHUNK_FRAME - length + 4 : at - length - 4] == b"IEND":
            break
    width, height = struct.unpack_from(">II", body, 16)
    return height, width


def _jpeg_size(body: bytes) -> tuple[int, int]:
    """Height and width from the first frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(body):
        if body[at] != 0xFF:
            break
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_NO_LENGTH:
            at += 2
        elif marker in _JPEG_FRAME:
            height, width = struct.unpack_from(">HH", body, at + 5)
            return height, width
        else:
            (length,) = struct.unpack_from(">H", body, at + 2)
            at += 2 + length
    raise UnreadableCropError(Reason.BAD_IMAGE, "no JPEG frame header")
