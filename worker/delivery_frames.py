"""Deliveries read straight from the bytes that pika received; everything else on the connection stays pika's.

pika makes six objects of a delivery, looks for callbacks at four places and copies what is left of its buffer once a frame: a third of
a worker's time on thumbnails. Here a delivery's three frames (AMQP 0-9-1, sections 2.3.5 and 4.2.6) become one
:class:`maskgate.protocol.crop.Message`, in the order of arrival. Properties and headers of
any other make than a producer's go through pika's own
decoder, so nothing is dropped. This hangs on names of pika's that are not public: where one is missing, :func:`attach` changes nothing and
pika delivers by its callbacks, slower.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import pika.data
import pika.spec

from maskgate.protocol.crop import Message

#: Who takes a delivery: its tag, whether it was held before, the message.
Taker: TypeAlias = Callable[[int, bool, Message], None]

_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME_END = 0xCE
_FRAME = struct.Struct(">BHI")  # kind, channel, size of the payload
_FRAME_BYTES = 8  # with the end marker
_PAYLOAD = _FRAME.size
_DELIVER = b"\x00\x3c\x00\x3c"  # basic.deliver
_TAG = struct.Struct(">QB")  # delivery tag, redelivered
_CONTENT = struct.Struct(">HHQH")  # class, weight, body size, property flags
_LENGTH = struct.Struct(">I")
_LONG = struct.Struct(">q")
#: Content type, headers, delivery mode, message id, type: what a crop has.
_CROP_FLAGS = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0020
_TEXT, _INTEGER = ord("S"), ord("l")
#: pika asks for 4 KiB at a time: less than one JPEG crop.
_READ_BYTES = 64 * 1024


class DeliveryFrames:
    """Stands before pika's reader of one connection, for the consumers of one channel.

    ``consumers`` maps a consumer tag to whoever takes its deliveries; a tag must be there before its first delivery can come.
    """

    def __init__(
        self,
        channel: int,
        poll_bytes: int,
        to_pika: Callable[[bytes], None],
        woken: Callable[[], None],
    ) -> None:
        self.consumers: dict[bytes, Taker] = {}
        self.waiting = False  # whether whoever drives the connection waits for a delivery
        self.own_bytes = 0  # of the frames that pika does not get to see
        self._poll_bytes = poll_bytes
        self._polled_bytes = 0
        self._channel = channel
        self._to_pika = to_pika
        self._woken = woken
        self._left = b""
        # The delivery whose frames are being read: who takes it, its tag and flag, then its message's size, properties and body so far.
        self._taker: Taker | None = None
        self._tag = self._redelivered = 0
        self._wanted = -1
        self._properties: tuple[object, object, object, dict[str, object]] = (None, None, None, {})
        self._body: list[bytes] = []

    def begin_poll(self, *, waiting: bool) -> None:
        """Before the connection is driven: whether for as long as it takes for a delivery."""
        self.waiting, self._polled_bytes = waiting, 0

    @property
    def may_be_more(self) -> bool:
        """Whether the last poll ended because it had read as much as one does, not because nothing was left."""
        return self._polled_bytes >= self._poll_bytes

    def received(self, data: bytes) -> None:
        """Take bytes as they come from the socket; frames may be cut anywhere."""
        self._polled_bytes += len(data)
        buffer = self._left + data if self._left else data
        at, end, delivered = 0, len(buffer), False
        while end - at >= _FRAME_BYTES:
            kind, channel, size = _FRAME.unpack_from(buffer, at)
            after = at + _FRAME_BYTES + size
            if after > end:
                break
            payload = at + _PAYLOAD
            if (
                channel != self._channel
                or buffer[after - 1] != _FRAME_END
                or not self._is_ours(kind, buffer, payload)
            ):
                self._to_pika(buffer[at:after])
            else:
                self.own_bytes += after - at
                if kind == _BODY:
                    self._body.append(buffer[payload : after - 1])
                    self._wanted -= size
                elif kind == _HEADER:
                    self._read_header(buffer, payload, after - 1)
                delivered |= self._wanted <= 0 and kind != _METHOD and self._finish()
            at = after
        self._left = buffer[at:] if at < end else b""
        # Where nobody waits it would end the next reading before it began.
        if delivered and self.waiting:
            self._woken()

    def _is_ours(self, kind: int, buffer: bytes, at: int) -> bool:
        """Whether a frame belongs to a delivery of ours; a delivery's first frame is read here."""
        if kind != _METHOD:
            return self._taker is not None and (
                kind == _BODY if self._wanted >= 0 else kind == _HEADER
            )
        if buffer[at : at + 4] != _DELIVER or self._taker is not None:
            return False
        tag_end = at + 5 + buffer[at + 4]
        self._taker = self.consumers.get(buffer[at + 5 : tag_end])
        if self._taker is None:
            return False
        self._tag, self._redelivered = _TAG.unpack_from(buffer, tag_end)
        return True

    def _read_header(self, buffer: bytes, at: int, end: int) -> None:
        _, _, self._wanted, flags = _CONTENT.unpack_from(buffer, at)
        properties = (
            _crop_properties(buffer, at + _CONTENT.size, end) if flags == _CROP_FLAGS else None
        )
        if properties is None:
            other = pika.spec.BasicProperties().decode(buffer[at + _CONTENT.size - 2 : end])
            properties = (other.content_type, other.type, other.message_id, other.headers or {})
        self._properties = properties

    def _finish(self) -> bool:
        taker, parts = self._taker, self._body
        if taker is None:
            return False
        content_type, kind, message_id, headers = self._properties
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._taker, self._wanted, self._body = None, -1, []
        taker(
            self._tag,
            bool(self._redelivered),
            Message(body, content_type, kind, message_id, headers),
        )
        return True


def _crop_properties(
    buffer: bytes, at: int, end: int
) -> tuple[object, object, object, dict[str, object]] | None:
    """Content type, type, message id and headers, from behind the flags; None where pika's decoder has to look."""
    try:
        start = at + 1
        at = start + buffer[at]
        content_type = buffer[start:at].decode()
        headers: dict[str, object] = {}
        limit = at + 4 + _LENGTH.unpack_from(buffer, at)[0]
        at += 4
        while at < limit:
            start = at + 1
            at = start + buffer[at]
            name = buffer[start:at].decode()
            kind = buffer[at]
            if kind == _TEXT:
                start = at + 5
                at = start + _LENGTH.unpack_from(buffer, at + 1)[0]
                headers[name] = buffer[start:at].decode()
            elif kind == _INTEGER:
                headers[name] = _LONG.unpack_from(buffer, at + 1)[0]
                at += 9
            else:
                return None
        if at != limit:
            return None
        start = at + 2  # after the delivery mode
        at = start + buffer[at + 1]
        message_id = buffer[start:at].decode()
        start = at + 1
        at = start + buffer[at]
        return (content_type, buffer[start:at].decode(), message_id, headers) if at == end else None
    except (UnicodeDecodeError, IndexError, struct.error):
        return None


def attach(connection: Any, channel: int) -> DeliveryFrames | None:
    """Put :class:`DeliveryFrames` before the reader of an open ``pika.BlockingConnection``; None if this pika can't be hung on to."""
    try:
        inner = connection._impl
        to_pika, buffered, transport = (
            inner._on_data_available,
            inner._frame_buffer,
            inner._transport,
        )
        dispatch, poll_bytes = connection._request_channel_dispatch, transport._MAX_CONSUME_BYTES
        numbers = (transport._MAX_RECV_BYTES, poll_bytes, inner.bytes_received)
    except AttributeError:
        return None
    if buffered or not all(isinstance(number, int) for number in numbers):
        return None
    # A negative number ends the wait for events, as pika's own consumers do.
    frames = DeliveryFrames(channel, poll_bytes, to_pika, lambda: dispatch(-channel))

    def received(data: bytes) -> None:
        before = frames.own_bytes
        frames.received(data)
        inner.bytes_received += frames.own_bytes - before  # what pika's heartbeats go by

    inner._on_data_available = received
    transport._MAX_RECV_BYTES = _READ_BYTES
    return frames
