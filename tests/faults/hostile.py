"""Image bodies that an attacker or a broken camera might send, each with its expected result."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from maskgate.inference.image import JPEG, MESSAGE_LIMITS, PNG, PPM, Pixels, encode_pnm
from maskgate.protocol.errors import Reason
from producer.drawing import draw_face

#: A drawn face, 112 × 112 × 3, RGB.
FACE: Pixels = np.asarray(
    cv2.resize(draw_face(np.random.default_rng(1), masked=False).pixels, (112, 112)), np.uint8
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A body, its declared content type and its expected reason; None if it must be decoded."""

    name: str
    body: bytes
    content_type: str
    reason: Reason | None


def _encoded(suffix: str, pixels: Pixels = FACE) -> bytes:
    return bytes(
        cv2.imencode(suffix, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()
    )


def _pillow(kind: str, mode: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(FACE).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def _png(width: int, height: int, content: bytes) -> bytes:
    """A grey PNG of this declared size; ``content`` is its IDAT chunk, valid or not."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", content)
        + _chunk(b"IEND", b"")
    )


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90° clockwise
    return _pillow("JPEG", "RGB", exif=exif)


def images() -> Iterator[Hostile]:
    """Every image case that SECURITY.md lists."""
    jpeg, png = _encoded(".jpg"), _encoded(".png")
    bad_crc = bytearray(png)
    bad_crc[-16] ^= 0xFF  # the last byte of IDAT's checksum
    yield Hostile("empty", b"", JPEG, Reason.EMPTY_BODY)
    yield Hostile("one byte", b"\xff", JPEG, Reason.CONTENT_MISMATCH)
    yield Hostile("text", b"not a picture at all", JPEG, Reason.CONTENT_MISMATCH)
    yield Hostile("half a JPEG", jpeg[: len(jpeg) // 2], JPEG, Reason.BAD_IMAGE)
    yield Hostile("half a PNG", png[: len(png) // 2], PNG, Reason.BAD_IMAGE)
    yield Hostile("half a PPM", encode_pnm(FACE)[0][:-1], PPM, Reason.BAD_IMAGE)
    yield Hostile("JPEG without EOI", jpeg[:-2], JPEG, Reason.BAD_IMAGE)
    yield Hostile("PNG with a bad CRC", bytes(bad_crc), PNG, Reason.BAD_IMAGE)
    yield Hostile("trailing garbage", jpeg + b"garbage" * 100, JPEG, None)
    yield Hostile(
        "PNG header 100,000 x 100,000",
        _png(100_000, 100_000, zlib.compress(bytes(1000))),
        PNG,
        Reason.IMAGE_TOO_LARGE,
    )
    size = struct.pack(">HH", 112, 112)
    yield Hostile(
        "JPEG 65535 x 65535",
        jpeg.replace(size, struct.pack(">HH", 65535, 65535), 1),
        JPEG,
        Reason.IMAGE_TOO_LARGE,
    )
    yield Hostile("PPM 100,000 x 100,000", b"P6 100000 100000 255\n", PPM, Reason.IMAGE_TOO_LARGE)
    yield Hostile("0 x 0", _png(0, 0, zlib.compress(b"")), PNG, Reason.BAD_IMAGE)
    yield Hostile(
        "PNG bomb",
        _png(12_000, 12_000, zlib.compress(bytes(12_001 * 12_000), 9)),
        PNG,
        Reason.IMAGE_TOO_LARGE,
    )
    # The length field of its second chunk says 350 MB; the chunk is far smaller.
    yield Hostile(
        "PNG chunk that claims 350 MB",
        png[:33] + struct.pack(">I", 350_000_000) + png[37:],
        PNG,
        Reason.BAD_IMAGE,
    )
    yield Hostile(
        "as large as may be", _png(2048, 2048, zlib.compress(bytes(2049 * 2048), 9)), PNG, None
    )
    for suffix in (".gif", ".webp", ".tiff", ".jp2", ".bmp"):
        yield Hostile(f"{suffix[1:]} called JPEG", _encoded(suffix), JPEG, Reason.CONTENT_MISMATCH)
        yield Hostile(
            f"{suffix[1:]} as itself",
            _encoded(suffix),
            f"image/{suffix[1:]}",
            Reason.BAD_CONTENT_TYPE,
        )
    yield Hostile("grey JPEG", _encoded(".jpg", FACE[:, :, 0].copy()), JPEG, None)
    yield Hostile("grey PGM", *encode_pnm(FACE[:, :, 0].copy()), None)
    yield Hostile("RGBA", _pillow("PNG", "RGBA"), PNG, None)
    yield Hostile("palette", _pillow("PNG", "P"), PNG, None)
    yield Hostile("CMYK", _pillow("JPEG", "CMYK"), JPEG, None)
    yield Hostile(
        "16-bit PNG",
        bytes(cv2.imencode(".png", FACE.astype(np.uint16) * 257)[1].tobytes()),
        PNG,
        None,
    )
    yield Hostile("16-bit PPM", b"P6 4 4 65535\n" + bytes(96), PPM, Reason.BAD_IMAGE)
    yield Hostile("EXIF-rotated", _rotated(), JPEG, None)
    yield Hostile("1 x 1", _encoded(".png", FACE[:1, :1].copy()), PNG, None)
    yield Hostile(
        "extreme aspect",
        _encoded(".png", np.asarray(cv2.resize(FACE, (4000, 2)), np.uint8)),
        PNG,
        None,
    )
    yield Hostile("all black", _encoded(".png", np.zeros_like(FACE)), PNG, None)
    yield Hostile("all white", _encoded(".jpg", np.full_like(FACE, 255)), JPEG, None)
    yield Hostile("content type that lies", png, JPEG, Reason.CONTENT_MISMATCH)
    yield Hostile(
        "body over the limit", jpeg + bytes(MESSAGE_LIMITS.body_bytes), JPEG, Reason.BODY_TOO_LARGE
    )


IMAGES = list(images())
