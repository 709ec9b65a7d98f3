"""PNG bodies at the limits: formats, filters, interlacing, and deflate blocks that hold nothing."""

import random
import struct
import zlib
from typing import Any

from tests.faults.genes import SIZES, Genes

#: Bits and colour type of each format: grey, RGB, palette, with opacity.
_FORMATS = (
    (16, 6), (16, 2), (8, 6), (8, 2), (16, 4), (8, 4), (16, 0), (8, 0), (1, 0), (8, 3), (1, 3),
    (4, 3),
)  # fmt: skip
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: Deflate blocks that describe their codes and hold no data, as a number and its bits: one code,
#: and 257 codes of 8 and 9 bits.
EMPTY_BLOCKS = (
    (0x4D5FF10000000000081C004, 91),
    (0x1FF7FAEDB6DB6DB6DB6DB6DB6DB6DB6DB6DB6CB0000000184003C004, 221),
)

PNG_SPACE: dict[str, range | tuple[Any, ...]] = {
    "size": SIZES,
    "format": _FORMATS,
    "interlaced": (0, 1),
    "filters": (b"\4", b"\4", b"\3", b"\1", b"\2", b"\0", b"\0\1\2\3\4"),
    "noise": (0, 1, 2, 16, 256),
    "period": (1, 7, 100, 5000, 60_000),
    "level": (1, 6, 9),
    "strategy": range(5),
    "memory": (1, 9),
    "empty_bytes": (0, 0, 8000, 30_000, 60_000, 90_000, 110_000, 125_000, 131_000),
    "empty": (0, 1),
    "chunk_bytes": (2500, 8192, 1 << 20),
    "extras": (b"", b"gAMA", b"tRNS", b"gAMA cHRM"),
}

#: A grey picture without anything special.
PLAIN_GENES: Genes = {
    "size": (112, 112), "format": (8, 0), "interlaced": 0, "filters": b"\0", "noise": 256,
    "period": 100, "level": 6, "strategy": 0, "memory": 9, "empty_bytes": 0, "empty": 0,
    "chunk_bytes": 8192, "extras": b"",
}  # fmt: skip


def png(genes: Genes) -> bytes:
    """The body that these genes describe."""
    width, height = genes["size"]
    depth, colour = genes["format"]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, genes["interlaced"])
    packed, size = _packed(genes, _rows(genes, width, height)), genes["chunk_bytes"]
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (_extra(b"gAMA", colour) if b"gAMA" in genes["extras"] else b"")
        + (_extra(b"cHRM", colour) if b"cHRM" in genes["extras"] else b"")
        + (chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 and depth == 8 else b"")
        + (chunk(b"PLTE", bytes(3 << depth)) if colour == 3 and depth < 8 else b"")
        + (_extra(b"tRNS", colour) if b"tRNS" in genes["extras"] else b"")
        + b"".join(chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """Length, name, content and checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def empty_blocks(size: int, kind: int) -> bytes:
    """About ``size`` bytes of deflate blocks that hold nothing; whole bytes."""
    number, bits = EMPTY_BLOCKS[kind]
    eight = sum(number << bits * i for i in range(8))
    return eight.to_bytes(bits, "little") * (size // bits)


def _rows(genes: Genes, width: int, height: int) -> bytes:
    depth, colour = genes["format"]
    choice = random.Random(1)
    pattern = bytes(choice.randrange(genes["noise"] + 1) % 256 for _ in range(genes["period"]))
    bits = depth * _SAMPLES[colour]
    lines = [(width * bits + 7) // 8] * height
    if genes["interlaced"]:
        lines = [
            (len(range(x, width, dx)) * bits + 7) // 8
            for x, y, dx, dy in _PASSES
            for _ in range(y, height, dy)
            if x < width
        ]
    filters = genes["filters"]
    return b"".join(
        filters[i % len(filters) :][:1] + (pattern * (length // len(pattern) + 1))[:length]
        for i, length in enumerate(lines)
    )


#: Adam7: first column, first row, and the steps.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


def _packed(genes: Genes, rows: bytes) -> bytes:
    stream = zlib.compressobj(
        genes["level"], zlib.DEFLATED, -15, genes["memory"], genes["strategy"]
    )
    return (
        b"\x78\x9c"
        + empty_blocks(genes["empty_bytes"], genes["empty"])
        + stream.compress(rows)
        + stream.flush()
        + struct.pack(">I", zlib.adler32(rows))
    )


def _extra(name: bytes, colour: int) -> bytes:
    contents = {
        b"gAMA": struct.pack(">I", 90_000),
        b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
        b"tRNS": {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: bytes(2)}.get(colour, b""),
    }
    return chunk(name, contents[name]) if contents[name] else b""
