"""What may be shown of a dead letter, and where it came from."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskgate.protocol.crop import Message, known_ids, parse
from maskgate.protocol.errors import UnreadableCropError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_KEY,
    AUDIT_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
    key_owner,
)

_QUEUES = {LIVE_EXCHANGE: LIVE_QUEUE, AUDIT_EXCHANGE: AUDIT_QUEUE}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be shown: an id only if it is valid, because it may be any text.

    ``problem`` is why the message is not a crop, as a :class:`maskgate.protocol.errors.Reason`.
    It is None if the message is valid: then its image was unreadable, or the delivery limit was
    exceeded.
    """

    crop_id: str | None
    camera_id: str | None
    queue: str | None
    reason: str | None
    died_at: str | None
    problem: str | None
    body_bytes: int


def describe(routing_key: str, properties: Any, body: bytes) -> DeadLetter:
    """What may be shown of a message with this key, these properties (pika's) and this body."""
    headers = properties.headers or {}
    message = Message(
        body, properties.content_type, properties.type, properties.message_id, headers, routing_key
    )
    camera_id, crop_id, _ = known_ids(message)
    death = _last_death(headers)
    died_at = death.get("time")
    return DeadLetter(
        crop_id,
        camera_id,
        queue=_QUEUES[route[0]] if (route := route_back(routing_key)) else None,
        reason=str(death["reason"]) if "reason" in death else None,
        died_at=died_at.isoformat() if isinstance(died_at, dt.datetime) else None,
        problem=_problem(message, audit=routing_key == AUDIT_KEY),
        body_bytes=len(body),
    )


def route_back(routing_key: str) -> tuple[str, str] | None:
    """Exchange and routing key of the queue it came from; None if that is unknown.

    The broker keeps the key that the sender was allowed to use. The header ``x-death`` does not
    count: a sender can write it, and requeueing would then lend the operator's rights.
    """
    if routing_key == AUDIT_KEY:
        return AUDIT_EXCHANGE, AUDIT_KEY
    return (LIVE_EXCHANGE, routing_key) if key_owner(routing_key) else None


def _problem(message: Message, *, audit: bool) -> str | None:
    try:
        parse(message, audit=audit)
    except UnreadableCropError as error:
        return error.reason.value
    return None


def _last_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """RabbitMQ's own record of when, where and why a message was dead-lettered last."""
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
