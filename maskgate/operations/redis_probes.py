"""Tries what a user may do in Redis. A permitted action does no harm: its keys are its own."""

from collections.abc import Callable, Mapping

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from maskgate.protocol.audit import audit_day_key
from maskgate.protocol.camera_state import camera_key
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.models import HISTORY_KEY, MODELS_KEY, WORKERS_KEY, pairs_live_key
from maskgate.protocol.scores import scores_key
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    attempts_key,
    history_key,
    verdict_key,
    visits_key,
)
from maskgate.runtime.store import store_errors

_PROBE = "maskgate-probe"
_VERDICT, _HISTORY, _AUDIT = verdict_key(_PROBE), history_key(_PROBE), audit_day_key(_PROBE, 0)
_ATTEMPTS, _VISITS, _CAMERA = attempts_key(_PROBE), visits_key(_PROBE), camera_key(_PROBE)
_SCORES = scores_key(_PROBE, 0)
_PAIRS = pairs_live_key(_PROBE, _PROBE)


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
    "read visits": lambda client: client.zrange(_VISITS, 0, -1),
    "read a camera's state": lambda client: client.hgetall(_CAMERA),
    "read a history": lambda client: client.xrange(_HISTORY),
    "read the heartbeat": lambda client: client.get(ALIVE_KEY),
    "read the list of cameras": lambda client: client.zrange(CAMERAS_KEY, 0, 0),
    "wait for wake-ups": _subscribe,
    "write a verdict": lambda client: client.hset(_VERDICT, "probe", "1"),
    "write visits": lambda client: client.zadd(_VISITS, {"probe": 1}),
    "write a camera's state": lambda client: client.hset(_CAMERA, "probe", "1"),
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
    "read scores": lambda client: client.hgetall(_SCORES),
    "write scores": lambda client: client.hincrby(_SCORES, "probe"),
    "add a camera seen": lambda client: client.zadd(CAMERAS_KEY, {_PROBE: 1}),
    "read pairs": lambda client: client.hgetall(_PAIRS),
    "count pairs": lambda client: client.hincrby(_PAIRS, "probe"),
    "read promotions": lambda client: client.xrange(HISTORY_KEY, count=1),
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
    "say which models it holds": ("HSET", WORKERS_KEY, "x", "x"),
    "restore the champion": ("HSET", MODELS_KEY, "x", "x"),
    # Only who may write the history can call the function that promotes.
    "promote a model": ("XADD", HISTORY_KEY, "*", "x", "x"),
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
        admin.delete(_VERDICT, _VISITS, _CAMERA, _HISTORY, _AUDIT, _ATTEMPTS, _SCORES, _PAIRS)
        admin.zrem(CAMERAS_KEY, _PROBE)
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
