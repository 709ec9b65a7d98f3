"""A dead letter: the headers that the worker gives it, what may be shown, where it came from."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from maskgate.protocol.crop import Message, known_ids
from maskgate.protocol.errors import Reason
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_KEY,
    AUDIT_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
    key_owner,
)

#: Headers that only the worker writes: the queue, a :class:`Reason`, milliseconds since the epoch.
DEAD_FROM, DEAD_REASON, DEAD_AT = "dead_from", "dead_reason", "dead_at"
_QUEUES = {LIVE_EXCHANGE: LIVE_QUEUE, AUDIT_EXCHANGE: AUDIT_QUEUE}

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_MS = 1 << 47  # in the year 6429


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be shown: a value only if it is valid, because it may be any text.

    ``reason`` is a :class:`maskgate.protocol.errors.Reason`.
    """

    crop_id: str | None
    camera_id: str | None
    queue: str | None
    reason: str | None
    died_at: str | None
    body_bytes: int


def message_of(routing_key: str, properties: Any, body: bytes) -> Message:
    """The message with this key, these properties (pika's) and this body."""
    return Message(
        body,
        properties.content_type,
        properties.type,
        properties.message_id,
        properties.headers or {},
        routing_key,
    )


def describe(message: Message) -> DeadLetter:
    """What may be shown of a dead letter."""
    camera_id, crop_id, _ = known_ids(message)
    reason = message.headers.get(DEAD_REASON)
    return DeadLetter(
        crop_id,
        camera_id,
        queue=_QUEUES[route[0]] if (route := route_back(message.routing_key)) else None,
        reason=next((each.value for each in Reason if each == reason), None),
        died_at=_time(message.headers.get(DEAD_AT)),
        body_bytes=len(message.body),
    )


def handle(message: Message) -> str:
    """A name for a dead letter that has no valid id, too: 16 hexadecimal digits.

    Copies of one letter share it. It tells nothing about the picture.
    """
    parts = (message.routing_key, message.message_id, message.headers.get(DEAD_AT))
    digest = hashlib.sha256(repr(parts).encode(errors="replace"))
    digest.update(message.body)
    return digest.hexdigest()[:16]


def route_back(routing_key: object) -> tuple[str, str] | None:
    """Exchange and routing key of the queue it came from; None if that is unknown.

    The worker keeps the key that the sender was allowed to use. Headers do not count: a sender can
    write them, and requeueing would then lend the operator's rights.
    """
    if routing_key == AUDIT_KEY:
        return AUDIT_EXCHANGE, AUDIT_KEY
    if isinstance(routing_key, str) and key_owner(routing_key):
        return LIVE_EXCHANGE, routing_key
    return None


def _time(value: object) -> str | None:
    if not isinstance(value, int) or not 0 < value < _LAST_MS:
        return None
    return (_EPOCH + dt.timedelta(milliseconds=value)).isoformat(timespec="seconds")
