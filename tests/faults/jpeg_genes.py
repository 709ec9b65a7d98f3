"""Made-up JPEG bodies: any frame, tables and scans, with any bytes as their compressed data.

The codec decodes wrong data as well as right data, so no encoder is needed to find what is slow.
"""

import random
import struct
from typing import Any

from tests.faults.genes import BODY_BYTES, SCANS_BYTES, SIZES, Genes

_STANDARD_DC = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, *[0] * 7]), bytes(range(12))
_FEW = bytes(16 * run + size for run in range(16) for size in (0, 1))
_ALL = bytes(16 * run + size for run in range(16) for size in range(11))
_RUN = b"\xbf\x7f"
#: Code lengths (how many codes of 1 to 16 bits) and symbols of a table for AC coefficients.
_AC_TABLES = (
    (bytes([0, 0, 0, 0, 31, 1, *[0] * 10]), _FEW),
    (bytes([1, *[0] * 15]), b"\xe0"),
    (bytes([1, 1, *[0] * 14]), b"\xe0\xf0"),
    (bytes([1, 1, *[0] * 14]), b"\x01\xf1"),
    (bytes([1, 1, *[0] * 14]), b"\x01\xe0"),  # coefficients without gaps, or 2^14 blocks of them
    (bytes([1, 1, 1, *[0] * 13]), b"\x01\x00\xe0"),
    (bytes([0, 0, 0, 0, 0, 0, 80, 96, *[0] * 8]), _ALL),
    (bytes([1, 1, 1, 1, 1, 1, 1, 1, *[0] * 7, 168]), _ALL),  # most codes of 16 bits
    (bytes([*[0] * 15, 176]), _ALL),
)

JPEG_SPACE: dict[str, range | tuple[Any, ...]] = {
    "size": SIZES,
    "frame": (0xC0, 0xC1, 0xC2, 0xC2, 0xC2),
    "sampling": (
        "11 11 11", "22 11 11", "21 11 11", "41 11 11", "11 11 11 11", "22 11 11 22", "11",
        "12 11 11", "11 22 11", "44 11 11", "22 21 12", "14 11 11", "11 11 41",
    ),
    "restart": (0, 0, 1, 8, 64, 65535),
    "ac": (*range(len(_AC_TABLES)), 4, 4),
    "quantised": (1, 255),
    "exif_bytes": (0, 4000, 15_000),
    "body_bytes": (60_000, 100_000, SCANS_BYTES, SCANS_BYTES, BODY_BYTES),
    "scans": (1, 3, 6, 8, 9, 10),
    **{f"scan{i}": range(1 << 16) for i in range(10)},
}  # fmt: skip


def jpeg(genes: Genes) -> bytes:
    """The body that these genes describe."""
    width, height = genes["size"]
    sampling = bytes.fromhex(genes["sampling"])
    parts = [
        b"\xff\xd8",
        exif(genes["exif_bytes"]),
        segment(0xDB, b"\0" + bytes([genes["quantised"]]) * 64),
        frame(genes["frame"], width, height, sampling),
        segment(0xC4, b"\0" + b"".join(_STANDARD_DC)),
        segment(0xC4, b"\x10" + b"".join(_AC_TABLES[genes["ac"]])),
        segment(0xDD, struct.pack(">H", genes["restart"])) if genes["restart"] else b"",
    ]
    left = genes["body_bytes"] - sum(map(len, parts)) - 200
    each = left // genes["scans"]
    parts += [
        _scan(random.Random(genes[f"scan{i}"]), i, genes, each) for i in range(genes["scans"])
    ]
    return b"".join(parts) + b"\xff\xd9"


def segment(marker: int, content: bytes) -> bytes:
    """A marker, the length and what it holds."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(marker: int, width: int, height: int, sampling: bytes, *, bits: int = 8) -> bytes:
    """A frame header; ``sampling`` has a byte for each component."""
    components = b"".join(bytes([i, each, 0]) for i, each in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", bits, height, width, len(sampling)) + components)


def scan(components: range, band: tuple[int, int], bits: int, data: bytes) -> bytes:
    """A scan of these coefficients; ``bits``: the higher and the lower bit position, 4 bit each."""
    tables = b"".join(bytes([i, 0]) for i in components)
    header = bytes([len(components)]) + tables + bytes([*band, bits])
    return segment(0xDA, header) + data.replace(b"\xff", b"\xff\0")


def exif(size: int) -> bytes:
    """EXIF whose entries all name the whole of it as their text."""
    entries = max(size - 20, 0) // 12
    entry = struct.pack(">HHII", 0x010E, 2, max(size - 20, 0), 8)
    content = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, entries) + entry * entries + bytes(4)
    return segment(0xE1, content) if size else b""


def many_scans(count: int) -> bytes:
    """4096 × 1024 px of one component, refined ``count`` times by 16 bytes."""
    # Three times the code 0, a run of blocks, and 14 bits: 2^14 + 5,462 blocks each.
    skip_all = int("001010101010110" * 3 + "000", 2).to_bytes(6)
    return (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + b"\1" * 64)
        + frame(0xC2, 4096, 1024, b"\x11")
        + segment(0xC4, b"\0" + b"".join(_STANDARD_DC))
        + segment(0xC4, b"\x10" + b"".join(_AC_TABLES[1]))
        + scan(range(1), (0, 0), 0x01, b"")
        + scan(range(1), (1, 63), 0x01, skip_all)
        + scan(range(1), (1, 63), 0x10, skip_all) * count
        + b"\xff\xd9"
    )


def refined(body_bytes: int) -> bytes:
    """512 × 512 px in 10 scans: no coefficient is 0, and 8 scans add a random bit to each."""
    tables = _STANDARD_DC, _AC_TABLES[4]
    head = (
        b"\xff\xd8"
        + exif(15_000)
        + segment(0xDB, b"\0" + b"\1" * 64)
        + frame(0xC2, 512, 512, b"\x11")
        + b"".join(segment(0xC4, bytes([16 * i]) + b"".join(each)) for i, each in enumerate(tables))
        + scan(range(1), (0, 0), 0x01, b"")
        + scan(range(1), (1, 63), 0x01, bytes(512 * 512 * 63 // 64 * 2 // 8))
    )
    each = (body_bytes - len(head)) // 8 - 14
    bits = (_RUN + random.Random(1).randbytes(each)).replace(b"\xff", b"\x7f")[:each]
    return head + scan(range(1), (1, 63), 0x10, bits) * 8 + b"\xff\xd9"


def _scan(choice: random.Random, position: int, genes: Genes, size: int) -> bytes:
    count = len(genes["sampling"].split())
    components, band, bits = range(count), (0, 63), 0
    if genes["frame"] == 0xC2:
        first = position == 0
        band = (0, 0) if first else choice.choice(((1, 63), (1, 63), (1, 63), (1, 5), (0, 0)))
        bits = choice.choice((0x00, 0x01) if first else (0x00, 0x01, 0x10, 0x10, 0x21, 0x0D))
    if band[0]:  # the codec refuses several components in a scan of AC coefficients
        one = choice.randrange(count)
        components = range(one, one + 1)
    random_bytes = choice.randbytes(choice.choice((1, 2, 3, 8, 100, 10_000)))
    pattern = choice.choice((b"\0", b"\0", b"\xaa", b"\x55", *[random_bytes] * 4))
    # Of the table with a code for 2^14 blocks and more: their number, then a bit each.
    run = choice.choice((b"", _RUN))
    filled = int(size * choice.choice((0.01, 0.5, 0.97, 0.97)))
    return scan(components, band, bits, (run + pattern * (filled // len(pattern) + 1))[:filled])
