"""What a JPEG body says before any of its pixels is decoded (ITU-T T.81, annex B).

Each scan can make the codec visit every block of the picture again, so that the time to decode is
bounded only if their number is. Arithmetic coding, lossless and hierarchical frames are refused.
"""

import re
import struct
from collections.abc import Iterator

from maskgate.protocol.errors import Reason, UnreadableCropError

#: libjpeg writes 10 scans for a progressive picture in colour, cameras one.
MAX_SCANS = 10
MAX_SEGMENTS = 64
#: A body of several scans. Each bit that refines a coefficient costs the codec a wrong guess.
MAX_BYTES_OF_SCANS = 128 * 1024
#: All APPn and COM segments together. The codec's time for EXIF grows with the square of its size.
MAX_METADATA_BYTES = 16 * 1024

_BAD, _UNSUPPORTED = Reason.BAD_IMAGE, Reason.UNSUPPORTED_IMAGE
# 0xFF 0x00 is a byte of data and 0xFF 0xD0 to 0xD7 a restart, both within a scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_HEAD = struct.Struct(">BBH")
_PREFIX, _END, _SCAN = 0xFF, 0xD9, 0xDA
_TABLES = frozenset((0xC4, 0xDB, 0xDD))  # DHT, DQT, DRI
_METADATA = frozenset((*range(0xE0, 0xF0), 0xFE))  # APPn, COM
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended sequential, progressive
_SAMPLING = frozenset(16 * across + down for across in (1, 2, 4) for down in (1, 2, 4))
_COMPONENTS = frozenset((1, 3, 4))
_FRAME_BYTES, _COMPONENT_BYTES = 10, 3


def file_size(body: bytes) -> tuple[int, int]:
    """Height and width of the first frame. For files of a local disk: the rest is not checked.

    Raises:
        UnreadableCropError: there is no frame header.
    """
    for marker, at, end in _segments(body):
        if marker in _FRAMES:
            return _frame(body, at, end)[1:]
    raise UnreadableCropError(_BAD, "no JPEG frame header")


def crop_size(body: bytes) -> tuple[int, int]:
    """Height and width, after every segment up to the end of the image was checked.

    Raises:
        UnreadableCropError: the structure is broken, or is none that a crop needs.
    """
    size, scans, metadata_bytes = None, 0, 0
    for count, (marker, at, end) in enumerate(_segments(body)):
        if marker == _SCAN:
            scans += 1
        elif marker in _METADATA:
            metadata_bytes += end - at
        elif marker in _HUFFMAN_FRAMES and size is None:
            size = _plain_frame(body, at, end)
        elif marker not in _TABLES:
            raise UnreadableCropError(_UNSUPPORTED, f"JPEG marker {marker:#04x}")
        if scans > MAX_SCANS or count >= MAX_SEGMENTS or metadata_bytes > MAX_METADATA_BYTES:
            raise UnreadableCropError(
                _UNSUPPORTED,
                f"a JPEG of more than {MAX_SCANS} scans, {MAX_SEGMENTS} segments or "
                f"{MAX_METADATA_BYTES} bytes of metadata",
            )
    if size is None or not scans:
        raise UnreadableCropError(_BAD, "a JPEG without frame or scan")
    if scans > 1 and len(body) > MAX_BYTES_OF_SCANS:
        raise UnreadableCropError(
            Reason.IMAGE_TOO_LARGE,
            f"{scans} scans, {len(body)} bytes; at most {MAX_BYTES_OF_SCANS}",
        )
    return size


def _segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment up to EOI; start is behind the marker."""
    at = 2
    while at + 4 <= len(body):
        prefix, marker, length = _HEAD.unpack_from(body, at)
        if prefix != _PREFIX:
            raise UnreadableCropError(_BAD, "bytes between two JPEG segments")
        if marker != _PREFIX:
            start, at = at + 2, at + 2 + length
            if length < 2 or at > len(body):
                raise UnreadableCropError(_BAD, "a JPEG segment is longer than the body")
            yield marker, start, at
        if marker in (_SCAN, _PREFIX):  # skip the scan's data, or bytes that fill up
            at = _next_marker(body, at)
            if body[at + 1] == _END:
                return
    raise UnreadableCropError(_BAD, "the JPEG ends before its end marker")


def _next_marker(body: bytes, at: int) -> int:
    found = _MARKER.search(body, at)
    if found is None:
        raise UnreadableCropError(_BAD, "the JPEG ends before its end marker")
    return found.start()


def _frame(body: bytes, at: int, end: int) -> tuple[bytes, int, int]:
    """The frame header, its height and its width."""
    if end - at < _FRAME_BYTES + 1:
        raise UnreadableCropError(_BAD, "the JPEG frame header is too short")
    height, width = struct.unpack_from(">HH", body, at + 3)
    return body[at + 2 : end], height, width


def _plain_frame(body: bytes, at: int, end: int) -> tuple[int, int]:
    header, height, width = _frame(body, at, end)
    precision, components, sampling = header[0], header[5], header[7::_COMPONENT_BYTES]
    if precision != 8 or components not in _COMPONENTS or not _SAMPLING.issuperset(sampling):
        raise UnreadableCropError(
            _UNSUPPORTED, f"a JPEG of {precision} bit, sampling {sampling.hex()}"
        )
    return height, width
