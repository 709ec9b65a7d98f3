"""Tries what a user may do on the broker. A permitted action does no harm.

A message names a user that is not its sender: the broker refuses it, but only after it has checked
the sender's rights. Reading a queue takes a message and returns it.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ProbableAuthenticationError

from maskgate.protocol.crop import MAX_BODY_BYTES
from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_KEY,
    AUDIT_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
    REVIEW_EXCHANGE,
    REVIEW_KEY,
    REVIEW_QUEUE,
    live_key,
)
from maskgate.runtime import pika_internals

_PROBE = "maskgate-probe"
_REFUSED = 403
#: The broker's answer to a message of another user, and to one that is too large, if its sender
#: may publish it.
_OTHER_USER = _TOO_LARGE = 406  # PRECONDITION_FAILED
_QUORUM = {"x-queue-type": "quorum"}


def _publish(channel: Any, exchange: str, key: str) -> None:
    channel.confirm_delivery()
    try:
        channel.basic_publish(exchange, key, b"", pika.BasicProperties(user_id=_PROBE))
    except ChannelClosedByBroker as error:
        if error.reply_code != _OTHER_USER:
            raise


def _publish_too_much(channel: Any, camera: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish(LIVE_EXCHANGE, live_key(camera), bytes(MAX_BODY_BYTES + 1))


def _read(channel: Any, queue: str) -> None:
    method, _, _ = channel.basic_get(queue)
    if method is not None:
        channel.basic_nack(method.delivery_tag, requeue=True)


def _declare(channel: Any) -> None:
    channel.queue_declare(f"{_PROBE}-{secrets.token_hex(4)}", exclusive=True, auto_delete=True)


def _bind(channel: Any) -> None:
    channel.queue_bind(LIVE_QUEUE, "amq.direct", _PROBE)
    channel.queue_unbind(LIVE_QUEUE, "amq.direct", _PROBE)


#: Declaring a queue again changes nothing and needs the same right as changing or deleting it.
BROKER: Mapping[str, Callable[[Any, str], object]] = {
    "publish its camera's crops": lambda channel, camera: _publish(
        channel, LIVE_EXCHANGE, live_key(camera)
    ),
    "publish another camera's crops": lambda channel, _: _publish(
        channel, LIVE_EXCHANGE, live_key(_PROBE)
    ),
    "publish crops of no camera": lambda channel, _: _publish(channel, LIVE_EXCHANGE, _PROBE),
    "publish audit samples": lambda channel, _: _publish(channel, AUDIT_EXCHANGE, AUDIT_KEY),
    "publish dead letters": lambda channel, _: _publish(channel, DEAD_EXCHANGE, ""),
    "publish crops to label": lambda channel, _: _publish(channel, REVIEW_EXCHANGE, REVIEW_KEY),
    "publish to any queue": lambda channel, _: _publish(channel, "", LIVE_QUEUE),
    "publish more than 256 KiB": _publish_too_much,
    "read crops": lambda channel, _: _read(channel, LIVE_QUEUE),
    "read audit samples": lambda channel, _: _read(channel, AUDIT_QUEUE),
    "read dead letters": lambda channel, _: _read(channel, DEAD_QUEUE),
    "read crops to label": lambda channel, _: _read(channel, REVIEW_QUEUE),
    "declare a queue": lambda channel, _: _declare(channel),
    "change or delete crops.live": lambda channel, _: channel.queue_declare(
        LIVE_QUEUE, durable=True, arguments=_QUORUM
    ),
    "bind crops.live": lambda channel, _: _bind(channel),
}


def try_broker(parameters: pika.connection.Parameters | None, camera: str) -> dict[str, bool]:
    """Whether each action of :data:`BROKER` is allowed to a user whose camera this is.

    None, no user at all, is allowed nothing.

    Raises:
        BrokerError: no broker answers, or it does not know the user.
    """
    pika_internals.install()  # a queue may hold a message with a malformed header table
    return (
        dict.fromkeys(BROKER, False)
        if parameters is None
        else {name: _allows(parameters, action, camera) for name, action in BROKER.items()}
    )


def may_log_in(parameters: pika.connection.Parameters) -> bool:
    """Whether the broker accepts this user.

    Raises:
        BrokerError: no broker answers.
    """
    try:
        return _allows(parameters, lambda _channel, _camera: None, "")
    except BrokerError as error:
        if isinstance(error.__context__, ProbableAuthenticationError):
            return False
        raise


def _allows(
    parameters: pika.connection.Parameters, action: Callable[[Any, str], object], camera: str
) -> bool:
    try:
        connection = pika.BlockingConnection(parameters)
    except AMQPError as error:
        msg = f"{type(error).__name__}: {error}"
        raise BrokerError(msg) from None
    try:
        action(connection.channel(), camera)
    except ChannelClosedByBroker as error:
        too_large = action is _publish_too_much and error.reply_code == _TOO_LARGE
        if not too_large and error.reply_code != _REFUSED:
            msg = f"the broker failed on a probe: {error}"
            raise BrokerError(msg) from None
        return False
    finally:
        with suppress(AMQPError):
            connection.close()
    return True
