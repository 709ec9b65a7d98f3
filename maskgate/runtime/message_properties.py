"""A message's properties for pika: of one of our own, and of the copy of one that was received."""

from collections.abc import Mapping

import pika

from maskgate.protocol.crop import Message

_KEPT = ("camera_id", "track_id", "captured_at", "traceparent", "label", "slice", "weight")
_HEADER_CHARACTERS = 256
_PERSISTENT = 2


def to_properties(message: Message) -> pika.BasicProperties:
    """The properties of a message that this process made; the broker keeps it on disk."""
    return pika.BasicProperties(
        content_type=message.content_type,
        type=message.type,
        message_id=message.message_id,
        headers=dict(message.headers),
        delivery_mode=_PERSISTENT,
    )


def copied_properties(message: Message, more: Mapping[str, object]) -> pika.BasicProperties:
    """The properties of a copy of ``message`` with ``more`` headers: a dead letter, or back again.

    Only fields of the crop's contract are copied. Others could have the copy refused (``user_id``),
    deleted (``expiration``) or routed elsewhere (``CC``).
    """
    headers = {name: message.headers.get(name) for name in _KEPT}
    return pika.BasicProperties(
        content_type=_text(message.content_type),
        type=_text(message.type),
        message_id=_text(message.message_id),
        headers={name: value for name, value in headers.items() if _is_plain(value)} | dict(more),
        delivery_mode=_PERSISTENT,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _HEADER_CHARACTERS
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 63
