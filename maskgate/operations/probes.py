"""Tries what a user may do on the broker and on Redis. A permitted action does no harm.

Messages go to a routing key without bindings; keys have names of their own. Reading a queue takes a
message and returns it.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError

from maskgate.protocol.crop import MAX_BODY_BYTES
from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
)
from maskgate.protocol.verdict import ALIVE_KEY, attempts_key, audit_key, history_key, verdict_key
from maskgate.runtime import pika_internals
from maskgate.runtime.store import store_errors

_PROBE = "maskgate-probe"
_REFUSED = 403
_TOO_LARGE = 406  # PRECONDITION_FAILED
_QUORUM = {"x-queue-type": "quorum"}
_VERDICT, _HISTORY, _AUDIT = verdict_key(_PROBE), history_key(_PROBE), audit_key(_PROBE)
_ATTEMPTS = attempts_key(_PROBE)


def _publish(channel: Any, exchange: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish(exchange, f"{_PROBE}-{secrets.token_hex(4)}", b"")


def _publish_too_much(channel: Any) -> None:
    channel.confirm_delivery()
    channel.basic_publish(
        LIVE_EXCHANGE, f"{_PROBE}-{secrets.token_hex(4)}", bytes(MAX_BODY_BYTES + 1)
    )


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
BROKER: Mapping[str, Callable[[Any], object]] = {
    "publish crops": lambda channel: _publish(channel, LIVE_EXCHANGE),
    "publish audit samples": lambda channel: _publish(channel, AUDIT_EXCHANGE),
    "publish dead letters": lambda channel: _publish(channel, DEAD_EXCHANGE),
    "publish to any queue": lambda channel: _publish(channel, ""),
    "publish more than 256 KiB": _publish_too_much,
    "read crops": lambda channel: _read(channel, LIVE_QUEUE),
    "read audit samples": lambda channel: _read(channel, AUDIT_QUEUE),
    "read dead letters": lambda channel: _read(channel, DEAD_QUEUE),
    "declare a queue": _declare,
    "change or delete crops.live": lambda channel: channel.queue_declare(
        LIVE_QUEUE, durable=True, arguments=_QUORUM
    ),
    "bind crops.live": _bind,
}


def try_broker(parameters: pika.connection.Parameters | None) -> dict[str, bool]:
    """Whether each action of :data:`BROKER` is allowed. None, no user at all, is allowed nothing.

    Raises:
        BrokerError: no broker answers, or it does not know the user.
    """
    pika_internals.install()  # a queue may hold a message with a malformed header table
    return (
        dict.fromkeys(BROKER, False)
        if parameters is None
        else {name: _allows(parameters, action) for name, action in BROKER.items()}
    )


def _allows(parameters: pika.connection.Parameters, action: Callable[[Any], object]) -> bool:
    try:
        connection = pika.BlockingConnection(parameters)
    except AMQPError as error:
        msg = f"{type(error).__name__}: {error}"
        raise BrokerError(msg) from None
    try:
        action(connection.channel())
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


def _subscribe(client: Redis) -> None:
    # redis-py has no types here.
    with client.pubsub() as listening:  # type: ignore[no-untyped-call]
        listening.subscribe(_HISTORY)
        listening.get_message(timeout=2)


def _run_known_script(client: Redis) -> None:
    with suppress(NoScriptError):
        client.evalsha("0" * 40, 0)  # does not exist; NOSCRIPT means that the command is allowed


#: These are run.
REDIS: Mapping[str, Callable[[Redis], object]] = {
    "read a verdict": lambda client: client.hgetall(_VERDICT),
    "read a history": lambda client: client.xrange(_HISTORY),
    "read the heartbeat": lambda client: client.get(ALIVE_KEY),
    "wait for wake-ups": _subscribe,
    "write a verdict": lambda client: client.hset(_VERDICT, "probe", "1"),
    "delete a verdict": lambda client: client.delete(_VERDICT),
    "write a history": lambda client: client.xadd(_HISTORY, {"probe": "1"}),
    "send wake-ups": lambda client: client.publish(_HISTORY, ""),
    "run the worker's scripts": _run_known_script,
    "run any script": lambda client: client.eval("return 1", 0),
    "read audit counts": lambda client: client.hgetall(_AUDIT),
    "write audit counts": lambda client: client.hincrby(_AUDIT, "probe"),
    "count attempts": lambda client: client.hincrby(_ATTEMPTS, "n"),
    "touch other keys": lambda client: client.set(_PROBE, "1", px=1),
    "list keys": lambda client: client.keys(f"{_PROBE}*"),
    "scan keys": lambda client: client.scan(match=f"{_PROBE}*"),
    "read the configuration": lambda client: client.config_get("maxmemory"),
    "list clients": lambda client: client.client_list(),
    "list users": lambda client: client.acl_list(),
}
#: Checked with ACL DRYRUN, because a permitted one would do harm.
REDIS_BY_DRYRUN: Mapping[str, tuple[str, ...]] = {
    "delete everything": ("FLUSHALL",),
    "stop the server": ("SHUTDOWN",),
    "change the configuration": ("CONFIG", "SET", "maxmemory", "1"),
    "change users": ("ACL", "SETUSER", "x"),
    "make it a replica": ("REPLICAOF", "NO", "ONE"),
}


def try_redis(client: Redis, admin: Redis, user: str | None) -> dict[str, bool]:
    """Whether each action of :data:`REDIS` and :data:`REDIS_BY_DRYRUN` is allowed.

    ``user`` None is a client that has not logged in.

    Raises:
        StoreError: no Redis answers, or it does not know the user.
    """
    with store_errors():
        found = {
            name: _permits(client, action, anonymous=user is None) for name, action in REDIS.items()
        }
        for name, command in REDIS_BY_DRYRUN.items():
            found[name] = user is not None and _dry_run(admin, user, command)
        admin.delete(_VERDICT, _HISTORY, _AUDIT, _ATTEMPTS)
    return found


def _dry_run(admin: Redis, user: str, command: tuple[str, ...]) -> bool:
    # redis-py has no types here.
    answer = admin.execute_command("ACL", "DRYRUN", user, *command)  # type: ignore[no-untyped-call]
    return answer in ("OK", b"OK")


def _permits(client: Redis, action: Callable[[Redis], object], *, anonymous: bool) -> bool:
    try:
        action(client)
    except NoPermissionError:
        return False
    except AuthenticationError:
        if not anonymous:
            raise
        return False
    return True
