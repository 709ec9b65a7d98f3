"""``maskgate permissions``: tests on running servers what each role may do."""

import secrets as randomness
from collections.abc import Mapping, Sequence
from pathlib import Path

import pika
from redis import Redis

from maskgate.operations.broker_probes import BROKER, may_log_in, try_broker
from maskgate.operations.cameras import password_file, user_of
from maskgate.operations.redis_probes import REDIS, REDIS_BY_DRYRUN, try_redis
from maskgate.operations.rights import ROLE_CAMERAS
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.broker import parameters
from maskgate.runtime.store import connect

#: Role → the actions that it may do; it must be refused all others.
INTENDED_BROKER: Mapping[str, frozenset[str]] = {
    "camera": frozenset({"publish its camera's crops"}),
    "drawn": frozenset({"publish its camera's crops", "publish audit samples"}),
    "filmed": frozenset({"publish its camera's crops"}),
    "auditor": frozenset({"publish audit samples"}),
    "worker": frozenset(
        {"read crops", "read audit samples", "publish dead letters", "publish crops to label"}
    ),
    "operator": frozenset(
        {"publish its camera's crops", "publish another camera's crops"}
        | {"publish audit samples", "read dead letters"}
    ),
    "gate": frozenset(),
    "desk": frozenset(
        {"publish its camera's crops", "publish another camera's crops"}
        | {"publish audit samples", "read dead letters", "read crops to label"}
    ),
    "unknown": frozenset(),
}
INTENDED_REDIS: Mapping[str, frozenset[str]] = {
    "worker": frozenset(
        {
            "read a verdict",
            "write a verdict",
            "write visits",
            "read a camera's state",
            "write a camera's state",
            "delete a verdict",
            "write a history",
            "send wake-ups",
        }
        | {"run loaded functions", "read the server's state", "count attempts"}
        | {"read audit counts", "write audit counts", "read pairs", "count pairs"}
        | {"read scores", "write scores", "add a camera seen"}
        | {"say which models it holds", "restore the champion"}
    ),
    "deployer": frozenset({"load functions"}),
    "gate": frozenset(
        {"read a verdict", "read visits", "read a camera's state", "read a history"}
        | {"read the heartbeat", "wait for wake-ups"}
    ),
    "desk": frozenset(
        {"read a verdict", "read visits", "read a camera's state", "read a history"}
        | {"read the heartbeat", "wait for wake-ups", "read the list of cameras"}
        | {"read audit counts", "read scores", "read pairs", "run loaded functions"}
        | {"say which models it holds", "restore the champion", "promote a model"}
        | {"read promotions"}
    ),
    "nobody": frozenset(),
}
#: Role → file of its password, below the folder of secrets.
_BROKER_PASSWORDS = {
    "drawn": "producer/broker",
    "filmed": "entrance/broker",
    "auditor": "auditor/broker",
    "worker": "worker/broker",
    "operator": "operator/broker",
    "desk": "desk/broker",
}
_REDIS_FOLDERS = {"deployer": "functions"}
_TIMEOUT_S = 5.0


def compare(secrets: Path, broker: str, redis: str, camera: str) -> int:
    """Try and print every action of every role; returns how many are not as intended.

    ``secrets`` is a folder as ``maskgate secrets`` writes it; both servers are HOST:PORT. The role
    of a camera is tried as ``camera``, which must be registered for itself alone.

    Raises:
        ConfigurationError: a password or an address can't be used.
        BrokerError, StoreError: a server does not answer, or does not know a role.
    """
    on_broker = {role: _broker(secrets, broker, role, camera) for role in INTENDED_BROKER}
    on_redis = {role: _redis(secrets, redis, role) for role in INTENDED_REDIS}
    wrong = _print("RabbitMQ", list(BROKER), on_broker, INTENDED_BROKER)
    wrong += _print("Redis", [*REDIS, *REDIS_BY_DRYRUN], on_redis, INTENDED_REDIS)
    cells = sum(map(len, (*on_broker.values(), *on_redis.values())))
    print(f"{cells} tried, {wrong} not as intended")
    return wrong


def _broker(secrets: Path, address: str, role: str, camera: str) -> dict[str, bool]:
    def login(user: str, password: str) -> pika.connection.Parameters:
        return parameters(f"amqp://{user}@{address}/%2F", password, name="permissions")

    if role == "camera":
        return try_broker(login(user_of(camera), _password(password_file(secrets, camera))), camera)
    if role == "unknown":  # a camera that is not registered
        stranger = login(user_of("maskgate-probe"), randomness.token_hex(8))
        return try_broker(stranger if may_log_in(stranger) else None, camera)
    if role not in _BROKER_PASSWORDS:
        return try_broker(None, camera)
    password = _password(secrets / _BROKER_PASSWORDS[role])
    return try_broker(login(role, password), ROLE_CAMERAS.get(role, camera))


def _redis(secrets: Path, address: str, role: str) -> dict[str, bool]:
    def client(user: str, password: str | None) -> Redis:
        url = f"redis://{user}{address}/0"
        return connect(url, password, name="permissions", timeout_s=_TIMEOUT_S)

    with client("admin@", _password(secrets / "redis" / "admin")) as admin:
        if role == "nobody":
            with client("", None) as nobody:
                return try_redis(nobody, admin, None)
        folder = _REDIS_FOLDERS.get(role, role)
        with client(f"{role}@", _password(secrets / folder / "redis")) as user:
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
    """Print one row for each action; returns how many cells are not as intended."""
    print(f"{server:32}" + "".join(f"{role:>10}" for role in found))
    wrong = 0
    for action in actions:
        cells = []
        for role, allowed in found.items():
            as_intended = allowed[action] == (action in intended[role])
            wrong += not as_intended
            cells.append(("yes" if allowed[action] else "no") + ("" if as_intended else " (!)"))
        print(f"{action:32}" + "".join(f"{cell:>10}" for cell in cells))
    print()
    return wrong
