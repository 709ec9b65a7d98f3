"""Reads deliveries straight from the bytes that pika received; all other frames stay pika's.

pika makes six objects of a delivery, looks for callbacks in four places and copies the rest of its
buffer once per frame: a third of a worker's time on thumbnails. Here the frames of a delivery
(AMQP 0-9-1, sections 2.3.5 and 4.2.6) become one :class:`maskgate.protocol.crop.Message`, in the
order of arrival. Properties and headers that a maskgate producer would not write go through pika's
own decoder, so nothing is dropped.
"""

import struct
from collections.abc import Callable
from typing import TypeAlias

import pika.spec

from maskgate.protocol.crop import Message

#: Called for each delivery with its tag, whether it is redelivered, and the message.
Receiver: TypeAlias = Callable[[int, bool, Message], None]

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


class DeliveryFrames:
    """Receives the bytes of one connection before pika does, for the consumers of one channel.

    ``consumers`` maps a consumer tag to its receiver. A tag must be there before its first delivery
    can arrive.
    """

    def __init__(
        self,
        channel: int,
        poll_bytes: int,
        to_pika: Callable[[bytes], None],
        woken: Callable[[], None],
    ) -> None:
        self.consumers: dict[bytes, Receiver] = {}
        self.waiting = False  # whether the caller of pika's event loop waits for a delivery
        self.own_bytes = 0  # bytes of frames that pika does not see
        self._poll_bytes = poll_bytes
        self._polled_bytes = 0
        self._channel = channel
        self._to_pika = to_pika
        self._woken = woken
        self._left = b""
        # The delivery that is being read. _wanted: bytes of its body still to come, -1 before its
        # header has arrived.
        self._receiver: Receiver | None = None
        self._tag = self._redelivered = 0
        self._routing_key = ""
        self._wanted = -1
        self._properties: tuple[object, object, object, dict[str, object]] = (None, None, None, {})
        self._body: list[bytes] = []

    def begin_poll(self, *, waiting: bool) -> None:
        """Call before pika's event loop runs; ``waiting``: until a delivery arrives."""
        self.waiting, self._polled_bytes = waiting, 0

    @property
    def may_be_more(self) -> bool:
        """Whether the last poll read as much as one poll may: more may have arrived."""
        return self._polled_bytes >= self._poll_bytes

    def received(self, data: bytes) -> None:
        """Read bytes from the socket; frames may be cut anywhere."""
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
                or not self._belongs_here(kind, buffer, payload)
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
        # Without a waiting caller, the wake-up would end the next poll before it reads.
        if delivered and self.waiting:
            self._woken()

    def _belongs_here(self, kind: int, buffer: bytes, at: int) -> bool:
        """Whether a frame belongs to a known consumer's delivery; reads its first frame."""
        if kind != _METHOD:
            return self._receiver is not None and (
                kind == _BODY if self._wanted >= 0 else kind == _HEADER
            )
        if buffer[at : at + 4] != _DELIVER or self._receiver is not None:
            return False
        tag_end = at + 5 + buffer[at + 4]
        self._receiver = self.consumers.get(buffer[at + 5 : tag_end])
        if self._receiver is None:
            return False
        self._tag, self._redelivered = _TAG.unpack_from(buffer, tag_end)
        exchange = tag_end + _TAG.size
        key = exchange + 2 + buffer[exchange]
        self._routing_key = buffer[key : key + buffer[key - 1]].decode(errors="replace")
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
        receiver, parts = self._receiver, self._body
        if receiver is None:
            return False
        content_type, kind, message_id, headers = self._properties
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._receiver, self._wanted, self._body = None, -1, []
        receiver(
            self._tag,
            bool(self._redelivered),
            Message(body, content_type, kind, message_id, headers, self._routing_key),
        )
        return True


def _crop_properties(
    buffer: bytes, at: int, end: int
) -> tuple[object, object, object, dict[str, object]] | None:
    """Content type, type, message id and headers, read from behind the property flags.

    None if pika's decoder is needed.
    """
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
