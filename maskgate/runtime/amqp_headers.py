"""Header tables that pika can't decode: without this, whoever may publish can cut the connection of every consumer.

A time stamp out of Python's range, or tables in tables deeper than its recursion limit, raise in pika's decoder before any callback: the
connection dies, at each redelivery again, until the delivery limit removes the message. Tables carry their length, so one that can't be
decoded can be passed over instead, as an empty one; the crop is then unreadable like any other without a camera.
"""

import struct
from typing import Any

import pika.data

_LENGTH = struct.Struct(">I")


def pass_over_bad_tables() -> None:
    """Change pika's decoder for this process; once is enough, twice does no harm."""
    decode = pika.data.decode_table
    if getattr(decode, "passes_over", False):
        return

    def decode_or_pass_over(encoded: bytes, offset: int) -> tuple[dict[str, Any], int]:
        try:
            table, after = decode(encoded, offset)
        except Exception:  # noqa: BLE001  (whatever pika's decoder raises)
            return {}, offset + _LENGTH.size + int(_LENGTH.unpack_from(encoded, offset)[0])
        return table, after

    decode_or_pass_over.passes_over = True  # type: ignore[attr-defined]
    pika.data.decode_table = decode_or_pass_over
