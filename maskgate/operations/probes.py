"""Tries what a user may do on the broker and on Redis. A permitted action does no harm.

A message names a user that is not its sender: the broker refuses it, but only after it has checked
the sender's rights. Keys have names of their own. Reading a queue takes a message and returns it.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ProbableAuthenticationError
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from maskgate.protocol.audit import audit_day_key
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
    live_key,
)
from maskgate.protocol.verdict import ALIVE_KEY, attempts_key, history_key, verdict_key
from maskgate.runtime import pika_internals
from maskgate.runtime.store import store_errors

_PROBE = "maskgate-probe"
_REFUSED = 403
#: The broker's answer to a message of another user, and to one that is too large, if its sender
#: may publish it.
_OTHER_USER = _TOO_LARGE = 406  # PRECONDITION_FAILED
_QUORUM = {"x-queue-type": "quorum"}
_VERDICT, _HISTORY, _AUDIT = verdict_key(_PROBE), history_key(_PROBE), audit_day_key(_PROBE, 0)
_ATTEMPTS = attempts_key(_PROBE)


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
    "publish to any queue": lambda channel, _: _publish(channel, "", LIVE_QUEUE),
    "publish more than 256 KiB": _publish_too_much,
    "read crops": lambda channel, _: _read(channel, LIVE_QUEUE),
    "read audit samples": lambda channel, _: _read(channel, AUDIT_QUEUE),
    "read dead letters": lambda channel, _: _read(channel, DEAD_QUEUE),
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


def _subscribe(client: Redis) -> None:
    # redis-py has no types here.
    with client.pubsub() as listening:  # type: ignore[no-untyped-call]
        listening.subscribe(_HISTORY)
        listening.get_message(timeout=2)


def _fails_only_in(error: str, run: Callable[[], object]) -> None:
    """Run what Redis can't do. Any other answer than ``error`` means that it is not allowed."""
    try:
        run()
    except NoPermissionError:
        raise
    except ResponseError as raised:
        if error not in str(raised):
            raise


def _run_function(client: Redis) -> None:
    _fails_only_in("Function not found", lambda: client.fcall("maskgate_probe", 0))


def _run_loaded_script(client: Redis) -> None:
    _fails_only_in("NOSCRIPT", lambda: client.evalsha("0" * 40, 0))


def _load_functions(client: Redis) -> None:
    _fails_only_in("Missing library", lambda: client.function_load("no library"))


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
    "run loaded functions": _run_function,
    "load functions": _load_functions,
    "run a script": lambda client: client.eval("return 1", 0),
    "load a script": lambda client: client.script_load("return 1"),
    "run a loaded script": _run_loaded_script,
    "read audit counts": lambda client: client.hgetall(_AUDIT),
    "write audit counts": lambda client: client.hincrby(_AUDIT, "probe"),
    "count attempts": lambda client: client.hincrby(_ATTEMPTS, "n"),
    "touch other keys": lambda client: client.set(_PROBE, "1", px=1),
    "list keys": lambda client: client.keys(f"{_PROBE}*"),
    "scan keys": lambda client: client.scan(match=f"{_PROBE}*"),
    "read the configuration": lambda client: client.config_get("maxmemory"),
    "read the server's state": lambda client: client.info("memory"),
    "list clients": lambda client: client.client_list(),
    "list users": lambda client: client.acl_list(),
}
#: Checked with ACL DRYRUN, because a permitted one would do harm.
REDIS_BY_DRYRUN: Mapping[str, tuple[str, ...]] = {
    "delete everything": ("FLUSHALL",),
    "delete functions": ("FUNCTION", "DELETE", "x"),
    "restore functions": ("FUNCTION", "RESTORE", "x"),
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
