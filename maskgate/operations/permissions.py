"""``maskgate permissions --secrets DIR --broker HOST:PORT --redis HOST:PORT``: who may do what, by trying it on running servers.

DIR is as ``maskgate/operations/secrets.py`` writes it. Prints every role's every action; exits 0 only if all are as intended.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from redis import Redis

from maskgate.operations.probes import BROKER, REDIS, REDIS_BY_DRYRUN, try_broker, try_redis
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.runtime.broker import parameters
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.store import connect

#: Whatever is not here is denied. Where each role's password lies, below DIR.
INTENDED_BROKER: Mapping[str, frozenset[str]] = {
    "camera": frozenset({"publish crops"}),
    "auditor": frozenset({"publish crops", "publish audit samples"}),
    "worker": frozenset({"read crops", "read audit samples"}),
    "operator": frozenset({"read dead letters", "publish crops", "publish audit samples"}),
    "gate": frozenset(),
}
INTENDED_REDIS: Mapping[str, frozenset[str]] = {
    "worker": frozenset(
        {
            "read a verdict",
            "write a verdict",
            "delete a verdict",
            "write a history",
            "send wake-ups",
        }
        | {"run the worker's scripts", "read audit counts", "write audit counts"}
    ),
    "gate": frozenset(
        {"read a verdict", "read a history", "read the heartbeat", "wait for wake-ups"}
    ),
    "nobody": frozenset(),
}
_BROKER_PASSWORDS = {
    "camera": "camera/broker",
    "auditor": "producer/broker",
    "worker": "worker/broker",
    "operator": "operator/broker",
}
_TIMEOUT_S = 5.0


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="maskgate permissions", description=__doc__)
    parser.add_argument("--secrets", type=Path, required=True, metavar="DIR")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--redis", required=True, metavar="HOST:PORT")
    arguments = parser.parse_args(argv)
    try:
        broker = {role: _broker(arguments, role) for role in INTENDED_BROKER}
        redis = {role: _redis(arguments, role) for role in INTENDED_REDIS}
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return (
            ExitCode.BAD_CONFIGURATION
            if isinstance(error, ConfigurationError)
            else ExitCode.UNAVAILABLE
        )
    wrong = _print("RabbitMQ", list(BROKER), broker, INTENDED_BROKER)
    wrong += _print("Redis", [*REDIS, *REDIS_BY_DRYRUN], redis, INTENDED_REDIS)
    cells = sum(map(len, (*broker.values(), *redis.values())))
    print(f"{cells} tried, {wrong} not as intended")
    return ExitCode.SOFTWARE if wrong else ExitCode.OK


def _broker(arguments: argparse.Namespace, role: str) -> dict[str, bool]:
    if role not in _BROKER_PASSWORDS:
        return try_broker(None)
    password = _password(arguments.secrets / _BROKER_PASSWORDS[role])
    return try_broker(
        parameters(f"amqp://{role}@{arguments.broker}/%2F", password, name="permissions")
    )


def _redis(arguments: argparse.Namespace, role: str) -> dict[str, bool]:
    def client(user: str, password: str | None) -> Redis:
        return connect(
            f"redis://{user}@{arguments.redis}/0",
            password,
            name="permissions",
            timeout_s=_TIMEOUT_S,
        )

    with client("admin", _password(arguments.secrets / "redis" / "admin")) as admin:
        if role == "nobody":
            with connect(
                f"redis://{arguments.redis}/0", None, name="permissions", timeout_s=_TIMEOUT_S
            ) as nobody:
                return try_redis(nobody, admin, None)
        with client(role, _password(arguments.secrets / role / "redis")) as user:
            return try_redis(user, admin, role)


def _password(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        msg = f"--secrets: {path}: {error.strerror}"
        raise ConfigurationError(msg) from None


def _print(
    server: str,
    actions: Sequence[str],
    found: Mapping[str, Mapping[str, bool]],
    intended: Mapping[str, frozenset[str]],
) -> int:
    """A row an action; returns how many cells are not as intended."""
    print(f"{server:30}" + "".join(f"{role:>10}" for role in found))
    wrong = 0
    for action in actions:
        cells = []
        for role, allowed in found.items():
            as_intended = allowed[action] == (action in intended[role])
            wrong += not as_intended
            cells.append(("yes" if allowed[action] else "no") + ("" if as_intended else " (!)"))
        print(f"{action:30}" + "".join(f"{cell:>10}" for cell in cells))
    print()
    return wrong
