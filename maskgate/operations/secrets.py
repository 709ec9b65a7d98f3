"""``maskgate secrets DIR``: passwords for a development installation, one for each role.

Writes one folder for each container, so that a container gets its own passwords and no others. In
production the same files come from the secret store of the site. The rights of each role are here.
"""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from maskgate.operations.topology import DEFINITIONS
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_QUEUE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
)
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    ATTEMPTS_KEYS,
    AUDIT_KEYS,
    CHANNEL_PATTERN,
    HISTORY_KEYS,
    VERDICT_KEYS,
)

_NOTHING = "^$"
#: Role → configure, write, read, as regular expressions. A camera's user can't publish audit
#: samples, and only the administrator declares.
BROKER_RIGHTS = {
    "admin": (".*", ".*", ".*"),
    "worker": (
        _NOTHING,
        f"^{DEAD_EXCHANGE}$".replace(".", r"\."),
        f"^({LIVE_QUEUE}|{AUDIT_QUEUE})$".replace(".", r"\."),
    ),
    "camera": (_NOTHING, f"^{LIVE_EXCHANGE}$", _NOTHING),
    "auditor": (_NOTHING, f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$", _NOTHING),
    "operator": (
        _NOTHING,
        f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$",
        f"^{DEAD_QUEUE}$".replace(".", r"\."),
    ),
}
#: Without CLIENT SETINFO: Redis 7.0 does not know it and would refuse the whole ACL file; redis-py
#: works without it.
REDIS_RIGHTS = {
    "admin": "~* &* +@all",
    "worker": (
        f"resetkeys ~{VERDICT_KEYS} ~{HISTORY_KEYS} ~{AUDIT_KEYS} ~{ALIVE_KEY} ~{ATTEMPTS_KEYS} "
        f"resetchannels &{CHANNEL_PATTERN} "
        "-@all +evalsha +script|load +time +set +hmget +hset +hgetall +hincrby +del +xadd "
        "+pexpire +pexpireat +publish +zadd +zcard +zremrangebyrank +ping +hello +client|setname"
    ),
    "gate": (
        f"resetkeys %R~{VERDICT_KEYS} %R~{HISTORY_KEYS} %R~{ALIVE_KEY} "
        f"resetchannels &{CHANNEL_PATTERN} "
        "-@all +get +mget +hgetall +hmget +pttl +xread +xrange +xrevrange +subscribe "
        "+unsubscribe +psubscribe +punsubscribe +ping +hello +client|setname"
    ),
}
#: Container → file name → the role whose password the file holds.
GIVEN = {
    "worker": {"broker": "worker", "redis": "worker"},
    "producer": {"broker": "auditor"},
    "gate": {"redis": "gate"},
    "operator": {"broker": "operator"},
    "camera": {"broker": "camera"},
    "rabbitmq": {"admin": "admin"},
    "redis": {"admin": "admin"},
}


def generate(directory: Path) -> None:
    """Write all files, unless an earlier run did: running it again changes nothing."""
    if (directory / "redis" / "users.acl").exists():
        return
    broker = {role: secrets.token_urlsafe(24) for role in BROKER_RIGHTS}
    redis = {role: secrets.token_urlsafe(24) for role in REDIS_RIGHTS}
    for container, given in GIVEN.items():
        for name, role in given.items():
            of_broker = name == "broker" or container == "rabbitmq"
            _write(directory / container / name, (broker if of_broker else redis)[role])
    _write(directory / "rabbitmq" / "definitions.json", json.dumps(definitions(broker), indent=1))
    _write(directory / "redis" / "users.acl", acl(redis))


def definitions(passwords: dict[str, str]) -> dict[str, Any]:
    """The broker's definitions with one user for each role."""
    users = [
        {
            "name": role,
            "password_hash": rabbit_hash(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator" if role == "admin" else "",
        }
        for role, password in passwords.items()
    ]
    permissions = [
        {"user": role, "vhost": "/", "configure": configure, "write": write, "read": read}
        for role, (configure, write, read) in BROKER_RIGHTS.items()
    ]
    return {**json.loads(DEFINITIONS.read_bytes()), "users": users, "permissions": permissions}


def rabbit_hash(password: str, salt: bytes | None = None) -> str:
    """RabbitMQ's salted SHA-256: base64 of a 4-byte salt and the digest of salt and password."""
    salt = os.urandom(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def acl(passwords: dict[str, str]) -> str:
    """Redis's ACL file with one user for each role; passwords are hashed."""
    lines = [
        f"user {role} on #{hashlib.sha256(password.encode()).hexdigest()} {REDIS_RIGHTS[role]}"
        for role, password in passwords.items()
    ]
    return "\n".join(["user default off", *lines]) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    # Only the container of this folder mounts it; its user is not the one that writes here.
    path.chmod(0o444)
