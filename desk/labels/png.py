"""A stored picture as PNG, for a browser: browsers show no PPM."""

import re
import struct
import zlib

from maskgate.protocol.errors import Reason, UnreadableCropError

_HEADER = re.compile(rb"(P[56]) ([0-9]{1,4}) ([0-9]{1,4}) 255\n")
_CHANNELS = {b"P5": 1, b"P6": 3}
#: PNG's colour types, by channels.
_COLOUR = {1: 0, 3: 2}


def to_png(picture: bytes) -> bytes:
    """Encode a PPM or PGM, as workers write it, as PNG (W3C, Portable Network Graphics, 2003).

    Raises:
        UnreadableCropError: it is neither, or has another number of pixels than it says.
    """
    header = _HEADER.match(picture)
    if header is None:
        raise UnreadableCropError(Reason.BAD_IMAGE, "no PPM or PGM as workers write it")
    channels, width, height = _CHANNELS[header[1]], int(header[2]), int(header[3])
    pixels, row = picture[header.end() :], width * channels
    if not row or not height or len(pixels) != row * height:
        raise UnreadableCropError(Reason.BAD_IMAGE, "not as many pixels as the header says")
    # Each row begins with its filter: 0 is none.
    rows = b"".join(b"\0" + pixels[i : i + row] for i in range(0, len(pixels), row))
    size = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    chunks = _chunk(b"IHDR", size) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
