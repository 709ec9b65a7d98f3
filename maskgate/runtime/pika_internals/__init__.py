"""Everything that relies on names that pika does not document. The version is pinned for it.

Importing changes nothing: a process that receives messages calls :func:`install` once, and each
consumer calls :func:`attach` for its connection. If a name is gone, a warning is logged and pika
works as it does by itself.
"""

import struct
from typing import Any

import pika.data
import structlog

from maskgate.runtime.pika_internals.delivery_frames import DeliveryFrames, Receiver

__all__ = ["DeliveryFrames", "Receiver", "attach", "install"]

_LENGTH = struct.Struct(">I")
#: pika reads 4 KiB at a time: less than one JPEG crop.
_READ_BYTES = 64 * 1024

log = structlog.get_logger()


def install() -> None:
    """Make pika's decoder skip header tables that it can't decode. A second call changes nothing.

    A timestamp out of Python's range, or tables nested deeper than the recursion limit, raise in
    pika's decoder before any callback: the connection is lost, again at each redelivery, until the
    delivery limit removes the message. So anybody who may publish could cut off every consumer. A
    table begins with its length and can be skipped: it is read as empty, and the crop is
    ``unreadable`` because it has no camera.
    """
    decode = getattr(pika.data, "decode_table", None)
    if decode is None:
        _warn("pika.data.decode_table", "a malformed header table ends the connection")
        return
    if getattr(decode, "skips_bad_tables", False):
        return

    def decode_or_skip(encoded: bytes, offset: int) -> tuple[dict[str, Any], int]:
        try:
            table, after = decode(encoded, offset)
        except Exception:  # noqa: BLE001  (whatever pika's decoder raises)
            return {}, offset + _LENGTH.size + int(_LENGTH.unpack_from(encoded, offset)[0])
        return table, after

    decode_or_skip.skips_bad_tables = True  # type: ignore[attr-defined]
    pika.data.decode_table = decode_or_skip


def attach(connection: Any, channel: int) -> DeliveryFrames | None:
    """Read the deliveries of an open ``pika.BlockingConnection`` from the bytes it receives.

    Returns None if that is not possible: then pika delivers through its callbacks, which is slower.
    """
    try:
        inner = connection._impl
        transport = inner._transport
        to_pika, buffered = inner._on_data_available, inner._frame_buffer
        dispatch, poll_bytes = connection._request_channel_dispatch, transport._MAX_CONSUME_BYTES
        numbers = {
            "_MAX_RECV_BYTES": transport._MAX_RECV_BYTES,
            "_MAX_CONSUME_BYTES": poll_bytes,
            "bytes_received": inner.bytes_received,
        }
    except AttributeError as error:
        _warn(str(error.name), "deliveries take pika's slower callbacks")
        return None
    for name, number in numbers.items():
        if not isinstance(number, int):
            _warn(name, "deliveries take pika's slower callbacks")
            return None
    if buffered:
        return None  # part of a frame has arrived; only pika can read the rest
    # A negative channel number ends pika's wait for events, as its own consumers do.
    frames = DeliveryFrames(channel, poll_bytes, to_pika, lambda: dispatch(-channel))

    def received(data: bytes) -> None:
        before = frames.own_bytes
        frames.received(data)
        inner.bytes_received += frames.own_bytes - before  # pika's heartbeat checks watch it

    inner._on_data_available = received
    transport._MAX_RECV_BYTES = _READ_BYTES
    return frames


def _warn(name: str, effect: str) -> None:
    log.warning("pika.name_missing", name=name, effect=effect, pika=pika.__version__)
