"""Invalid messages around a valid image, as an attacker or a broken camera might send them."""

import struct
import time
from typing import Any

import pika

from maskgate.protocol.errors import Reason
from maskgate.runtime.clock import now_ms

_encode_table = pika.data.encode_table


class RawTable(dict[str, object]):
    """A header table as raw bytes that pika itself would never write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw=1)
        self.raw = raw


def field(name: bytes, kind: bytes, value: bytes) -> bytes:
    return struct.pack("B", len(name)) + name + kind + value


def nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = field(b"t", b"F", struct.pack(">I", len(table)) + table)
    return table


DOOR = field(b"camera_id", b"S", struct.pack(">I", 4) + b"door")


def encode_or_pass(pieces: list[bytes], table: dict[str, object]) -> int:
    """Replaces pika's ``encode_table``; writes raw tables unchanged."""
    if not isinstance(table, RawTable):
        return int(_encode_table(pieces, table))
    pieces += [struct.pack(">I", len(table.raw)), table.raw]
    return 4 + len(table.raw)


#: Properties around a valid image, and the expected reason; None if the broker expires the message.
MESSAGES: dict[str, tuple[dict[str, Any], Reason | None]] = {
    "no headers": ({"headers": None}, Reason.BAD_CAMERA_ID),
    "bytes that are not UTF-8": (
        {"headers": {"camera_id": b"\xff\xfe", "captured_at": 1}},
        Reason.BAD_CAMERA_ID,
    ),
    "text that is not UTF-8": (
        {"headers": RawTable(field(b"camera_id", b"S", struct.pack(">I", 2) + b"\xff\xfe"))},
        Reason.BAD_CAMERA_ID,
    ),
    "100 kB of headers": (
        {"headers": {"camera_id": "door", "captured_at": "x", "more": "y" * 100_000}},
        Reason.BAD_CAPTURED_AT,
    ),
    "nested tables": (
        {"headers": {"camera_id": {"a": {"b": [1, {"c": None}]}}, "captured_at": 1}},
        Reason.BAD_CAMERA_ID,
    ),
    "no camera id": ({"headers": {"captured_at": now_ms()}}, Reason.BAD_CAMERA_ID),
    "content type that is not UTF-8": ({"content_type": b"image/\xff"}, Reason.BAD_CONTENT_TYPE),
    "version that is not UTF-8": ({"type": b"face-crop.\xff"}, Reason.WRONG_TYPE),
    "unknown version": ({"type": "face-crop.v9"}, Reason.WRONG_TYPE),
    "colon in the camera id": (
        {"headers": {"camera_id": "a:b", "captured_at": 1}},
        Reason.BAD_CAMERA_ID,
    ),
    "braces in the camera id": (
        {"headers": {"camera_id": "a}{b", "captured_at": 1}},
        Reason.BAD_CAMERA_ID,
    ),
    "newline in the camera id": (
        {"headers": {"camera_id": "door\n", "captured_at": 1}},
        Reason.BAD_CAMERA_ID,
    ),
    "braces in the track id": (
        {"headers": {"camera_id": "door", "track_id": "{t}", "captured_at": 1}},
        Reason.BAD_TRACK_ID,
    ),
    "captured in the future": (
        {"headers": {"camera_id": "door", "captured_at": now_ms() + 3_600_000}},
        Reason.CAPTURED_IN_FUTURE,
    ),
    "captured in the past": (
        {"headers": {"camera_id": "door", "captured_at": now_ms() - 3_600_000}},
        Reason.TOO_OLD,
    ),
    "captured in nanoseconds": (
        {"headers": {"camera_id": "door", "captured_at": time.time_ns()}},
        Reason.BAD_CAPTURED_AT,
    ),
    "captured as text": (
        {"headers": {"camera_id": "door", "captured_at": "now"}},
        Reason.BAD_CAPTURED_AT,
    ),
    "label on a live crop": (
        {"headers": {"camera_id": "door", "captured_at": 1, "label": "mask"}},
        Reason.UNEXPECTED_LABEL,
    ),
    "timestamp out of range": (
        {"headers": RawTable(DOOR + field(b"captured_at", b"T", struct.pack(">Q", 1 << 62)))},
        Reason.BAD_CAMERA_ID,
    ),
    "tables in tables in tables": ({"headers": RawTable(nested(5000))}, Reason.BAD_CAMERA_ID),
    "expiration 0": ({"expiration": "0"}, None),
}
