"""What a user may do, found out by trying: on the broker and on Redis, harmlessly where it is allowed.

Messages go to a routing key that nothing is bound to, keys are named after the probe. Reading from a queue takes a message and gives it
back.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError, RedisError

from maskgate.protocol.errors import BrokerError, StoreError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
)
from maskgate.runtime import pika_internals

_PROBE = "maskgate-probe"
_REFUSED = 403
_QUORUM = {"x-queue-type": "quorum"}
_VERDICT, _HISTORY, _AUDIT = (
    f"verdict:{{{_PROBE}}}",
    f"verdicts:{{{_PROBE}}}",
    f"audit:{{{_PROBE}}}",
)


def _publish(channel: Any, exchange: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish(exchange, f"{_PROBE}-{secrets.token_hex(4)}", b"")


def _read(channel: Any, queue: str) -> None:
    method, _, _ = channel.basic_get(queue)
    if method is not None:
        channel.basic_nack(method.delivery_tag, requeue=True)


def _declare(channel: Any) -> None:
    channel.queue_declare(f"{_PROBE}-{secrets.token_hex(4)}", exclusive=True, auto_delete=True)


def _bind(channel: Any) -> None:
    channel.queue_bind(LIVE_QUEUE, "amq.direct", _PROBE)
    channel.queue_unbind(LIVE_QUEUE, "amq.direct", _PROBE)


#: To change or delete a queue takes the same right as to declare it again, which changes nothing.
BROKER: Mapping[str, Callable[[Any], object]] = {
    "publish crops": lambda channel: _publish(channel, LIVE_EXCHANGE),
    "publish audit samples": lambda channel: _publish(channel, AUDIT_EXCHANGE),
    "publish dead letters": lambda channel: _publish(channel, DEAD_EXCHANGE),
    "publish to any queue": lambda channel: _publish(channel, ""),
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
    """Whether each of :data:`BROKER` is allowed, a connection each; without a user nothing is.

    Raises:
        BrokerError: there is no broker, or it does not know the user.
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
        if error.reply_code != _REFUSED:
            msg = f"the probe failed: {error}"
            raise BrokerError(msg) from None
        return False
    finally:
        with suppress(AMQPError):
            connection.close()
    return True


def _subscribe(client: Redis) -> None:
    with client.pubsub() as listening:  # type: ignore[no-untyped-call]  # redis-py has no types here
        listening.subscribe(_HISTORY)
        listening.get_message(timeout=2)


def _run_known_script(client: Redis) -> None:
    with suppress(NoScriptError):
        client.evalsha("0" * 40, 0)  # one that nobody has: being told so is being allowed


#: Tried for real.
REDIS: Mapping[str, Callable[[Redis], object]] = {
    "read a verdict": lambda client: client.hgetall(_VERDICT),
    "read a history": lambda client: client.xrange(_HISTORY),
    "read the heartbeat": lambda client: client.get("worker:alive"),
    "wait for wake-ups": _subscribe,
    "write a verdict": lambda client: client.hset(_VERDICT, "probe", "1"),
    "delete a verdict": lambda client: client.delete(_VERDICT),
    "write a history": lambda client: client.xadd(_HISTORY, {"probe": "1"}),
    "send wake-ups": lambda client: client.publish(_HISTORY, ""),
    "run the worker's scripts": _run_known_script,
    "run any script": lambda client: client.eval("return 1", 0),
    "read audit counts": lambda client: client.hgetall(_AUDIT),
    "write audit counts": lambda client: client.hincrby(_AUDIT, "probe"),
    "touch other keys": lambda client: client.set(_PROBE, "1", px=1),
    "list keys": lambda client: client.keys(f"{_PROBE}*"),
    "scan keys": lambda client: client.scan(match=f"{_PROBE}*"),
    "read the configuration": lambda client: client.config_get("maxmemory"),
    "list clients": lambda client: client.client_list(),
    "list users": lambda client: client.acl_list(),
}
#: Asked of Redis's own ACL DRYRUN: these can't be tried harmlessly.
REDIS_BY_DRYRUN: Mapping[str, tuple[str, ...]] = {
    "delete everything": ("FLUSHALL",),
    "stop the server": ("SHUTDOWN",),
    "change the configuration": ("CONFIG", "SET", "maxmemory", "1"),
    "change users": ("ACL", "SETUSER", "x"),
    "make it a replica": ("REPLICAOF", "NO", "ONE"),
}


def try_redis(client: Redis, admin: Redis, user: str | None) -> dict[str, bool]:
    """Whether each of :data:`REDIS` and :data:`REDIS_BY_DRYRUN` is allowed; ``user`` None is somebody who has not logged in.

    Raises:
        StoreError: there is no Redis, or it does not know the user.
    """
    with _store_errors():
        found = {
            name: _permits(client, action, anonymous=user is None) for name, action in REDIS.items()
        }
        for name, command in REDIS_BY_DRYRUN.items():
            answer = admin.execute_command("ACL", "DRYRUN", user, *command) if user else "no"  # type: ignore[no-untyped-call]
            found[name] = answer in ("OK", b"OK")
        admin.delete(_VERDICT, _HISTORY, _AUDIT)
    return found


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


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        msg = f"{type(error).__name__}: {error}"
        raise StoreError(msg) from None
