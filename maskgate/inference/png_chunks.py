"""What a PNG body says before any of its pixels is decoded (W3C PNG, section 5 and 11).

Text and profile chunks are compressed a second time and are inflated by the codec, whether anybody
reads them or not; so are the frames of an animation. Crops need none of them.
"""

import struct
from collections.abc import Iterator

from maskgate.protocol.errors import Reason, UnreadableCropError

MAX_CHUNKS = 64
#: A byte of made-up deflate blocks costs the codec as much as 13 bytes of pixels.
_PACKED_BYTE_COSTS = 16

_MAGIC_BYTES = 8
_FRAME_BYTES = 12  # length, name and checksum
_HEADER_BYTES = 13
_DATA = b"IDAT"
_PLAIN = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs tIME".split())
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type


def file_size(body: bytes) -> tuple[int, int]:
    """Height and width. For files of a local disk: chunks may be of any kind, but complete.

    Raises:
        UnreadableCropError: there is no header, or a chunk is longer than the body.
    """
    chunks = list(_chunks(body))
    return _header(body, chunks)[:2]


def crop_size(body: bytes, max_cost: int) -> tuple[int, int]:
    """Height and width, after every chunk up to the end of the image was checked.

    The bytes of its pixels, and 16 times its compressed bytes, are at most ``max_cost``.

    Raises:
        UnreadableCropError: the structure is broken, or is none that a crop needs.
    """
    chunks = []
    for chunk in _chunks(body):
        chunks.append(chunk)
        if chunk[0] not in _PLAIN or len(chunks) > MAX_CHUNKS:
            raise UnreadableCropError(
                Reason.UNSUPPORTED_IMAGE, f"PNG chunk {len(chunks)}, {chunk[0]!r}"
            )
    height, width, depth, colour = _header(body, chunks)
    packed = sum(length for name, length in chunks if name == _DATA)
    unpacked = height * (width * depth * _SAMPLES.get(colour, 0) + 7) // 8
    if unpacked + _PACKED_BYTE_COSTS * packed > max_cost:
        raise UnreadableCropError(
            Reason.IMAGE_TOO_LARGE, f"a PNG of {packed} bytes, {unpacked} unpacked"
        )
    return height, width


def _chunks(body: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and length of each chunk up to IEND."""
    # OpenCV allocates the length that a chunk states before it reads it: 350 MB for a 2 kB body.
    at, name = _MAGIC_BYTES, b""
    while name != b"IEND":
        length, name = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        at += _FRAME_BYTES + length
        if at > len(body):
            raise UnreadableCropError(Reason.BAD_IMAGE, "a PNG chunk is longer than the body")
        yield name, length


def _header(body: bytes, chunks: list[tuple[bytes, int]]) -> tuple[int, int, int, int]:
    """Height, width, bits of a sample and colour type."""
    names = [name for name, _ in chunks]
    if chunks[0] != (b"IHDR", _HEADER_BYTES) or names.count(b"IHDR") > 1:
        raise UnreadableCropError(Reason.BAD_IMAGE, "no PNG header, or two")
    width, height, depth, colour = struct.unpack_from(">IIBB", body, 16)
    return height, width, depth, colour
