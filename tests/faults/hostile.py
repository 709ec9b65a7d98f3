"""Image bodies that an attacker or a broken camera might send, each with its expected result."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from maskgate.inference.image import JPEG, PGM, PNG, PPM, Pixels, encode_pnm
from maskgate.protocol.crop import MAX_BODY_BYTES
from maskgate.protocol.errors import Reason
from producer.drawing import draw_face
from tests.faults.jpeg_genes import exif, frame, many_scans, refined, segment
from tests.faults.png_genes import PLAIN_GENES, chunk, empty_blocks
from tests.faults.png_genes import png as png_of

#: A drawn face, 112 × 112 × 3, RGB.
FACE: Pixels = np.asarray(
    cv2.resize(draw_face(np.random.default_rng(1), masked=False).pixels, (112, 112)), np.uint8
)


LARGE, UNSUPPORTED = Reason.IMAGE_TOO_LARGE, Reason.UNSUPPORTED_IMAGE


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


def _png(width: int, height: int, content: bytes) -> bytes:
    """A grey PNG of this declared size; ``content`` is its IDAT chunk, valid or not."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", content)
        + chunk(b"IEND", b"")
    )


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90° clockwise
    return _pillow("JPEG", "RGB", exif=exif)


def _elaborate(jpeg: bytes, png: bytes) -> Iterator[Hostile]:
    """Images within all limits of size whose structure makes the codec work, or works it hard."""
    yield Hostile("JPEG of 14,929 scans", many_scans(14_929), JPEG, UNSUPPORTED)
    yield Hostile("JPEG of 10 scans, 256 KiB", refined(MAX_BODY_BYTES), JPEG, LARGE)
    yield Hostile("JPEG of 10 scans, 128 KiB", refined(MAX_BODY_BYTES // 2), JPEG, None)
    yield Hostile("progressive JPEG", _pillow("JPEG", "RGB", progressive=True), JPEG, None)
    for name, marker in (("arithmetic", 0xC9), ("lossless", 0xC3), ("hierarchical", 0xC5)):
        body = jpeg.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
        yield Hostile(f"{name} JPEG", body, JPEG, UNSUPPORTED)
    at = jpeg.index(b"\xff\xc0")
    header = jpeg[at : at + len(frame(0xC0, 112, 112, b"\x22\x11\x11"))]
    for name, other in (
        ("12-bit JPEG", frame(0xC1, 112, 112, b"\x22\x11\x11", bits=12)),
        ("JPEG with five components", frame(0xC0, 112, 112, b"\x11" * 5)),
        ("JPEG with a third of the samples", frame(0xC0, 112, 112, b"\x33\x11\x11")),
        ("JPEG with two frames", header + header),
        ("JPEG with 60,000 comments", header + segment(0xFE, b"") * 60_000),
        ("JPEG with 48 kB of EXIF", header + exif(48_000)),
        ("JPEG with a DNL segment", header + segment(0xDC, b"\0\x70")),
    ):
        yield Hostile(name, jpeg.replace(header, other), JPEG, UNSUPPORTED)
    nothing = jpeg.replace(header, frame(0xC0, 112, 0, b"\x22\x11\x11"))
    yield Hostile("JPEG whose height comes later", nothing, JPEG, Reason.BAD_IMAGE)
    yield Hostile("two JPEGs in a row", jpeg + jpeg, JPEG, None)
    yield Hostile("JPEG that restarts at each block", _restarting(), JPEG, None)
    text = b"Comment\0\0" + zlib.compress(bytes(8_000_000), 9)
    yield from _with_chunks(png, "thirty zTXt", chunk(b"zTXt", text) * 30)
    yield from _with_chunks(png, "an iTXt", chunk(b"iTXt", b"k\0\1\0\0\0" + text[9:]))
    yield from _with_chunks(png, "an iCCP", chunk(b"iCCP", text))
    yield from _with_chunks(png, "an animation", chunk(b"acTL", struct.pack(">II", 9, 0)))
    yield from _with_chunks(png, "65 gAMA", chunk(b"gAMA", b"\0\1\0\0") * 65)
    yield Hostile(
        "PNG of empty blocks",
        _png(64, 64, b"\x78\x9c" + empty_blocks(200_000, 0)),
        PNG,
        LARGE,
    )
    interlaced = {"size": (512, 512), "interlaced": 1, "format": (8, 6)}
    yield Hostile("interlaced PNG", png_of({**PLAIN_GENES, **interlaced}), PNG, None)


def _with_chunks(png: bytes, name: str, chunks: bytes) -> Iterator[Hostile]:
    yield Hostile(f"PNG with {name}", png[:33] + chunks + png[33:], PNG, UNSUPPORTED)


def _restarting() -> bytes:
    options = [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    return bytes(cv2.imencode(".jpg", FACE, options)[1].tobytes())


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
        "as large as may be", _png(512, 512, zlib.compress(bytes(513 * 512), 9)), PNG, None
    )
    yield Hostile("512 x 513 px", encode_pnm(np.zeros((513, 512), np.uint8))[0][:600], PGM, LARGE)
    yield from _elaborate(jpeg, png)
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
    yield Hostile("body over the limit", jpeg + bytes(MAX_BODY_BYTES), JPEG, Reason.BODY_TOO_LARGE)


IMAGES = list(images())
