"""``maskgate secrets DIR``: passwords for a development installation, one for each role.

Writes one folder for each container, so that a container gets its own passwords and no others. In
production the same files come from the secret store of the site. Running it again
keeps the passwords and brings definitions and ACL up to date.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskgate.operations import private_files, redis_memory
from maskgate.operations.differences import acl_differences, differences
from maskgate.operations.redis_memory import DOORS, HISTORY_LENGTH
from maskgate.operations.rights import BROKER_RIGHTS, LIVE_KEYS, NOTHING, REDIS_RIGHTS
from maskgate.operations.topology import DEFINITIONS
from maskgate.protocol.topology import LIVE_EXCHANGE

#: Container → file name → the role whose password the file holds.
GIVEN = {
    "worker": {"broker": "worker", "redis": "worker"},
    "producer": {"broker": "drawn"},
    "entrance": {"broker": "filmed"},
    "auditor": {"broker": "auditor"},
    "functions": {"redis": "deployer"},
    "gate": {"redis": "gate"},
    "operator": {"broker": "operator"},
    "desk": {"broker": "desk", "redis": "desk"},
    "rabbitmq": {"admin": "admin"},
    "redis": {"admin": "admin"},
}

#: Encrypts the crops that the desk keeps for labelling; 32 bytes, base64.
LABELS_KEY = Path("desk") / "labels-key"


def generate(
    directory: Path, *, doors: int = DOORS, history_length: int = HISTORY_LENGTH
) -> list[str]:
    """Write what is missing or out of date; returns what changed since an earlier run.

    Passwords that are there are kept, and the lines name none. Redis gets memory for the full
    histories of so many doors.

    Raises:
        ConfigurationError: a file can't be read or written.
    """
    broker = {role: _password(directory, role, broker=True) for role in BROKER_RIGHTS}
    redis = {role: _password(directory, role, broker=False) for role in REDIS_RIGHTS}
    definitions_file = directory / "rabbitmq" / "definitions.json"
    acl_file = directory / "redis" / "users.acl"
    old = private_files.read(definitions_file)
    found = json.loads(old) if old else {}
    wanted = definitions(broker, _hashes(found))
    changed = differences(found, wanted) if old else []
    _update(definitions_file, json.dumps(wanted, indent=1))
    old_acl = private_files.read(acl_file)
    changed += acl_differences(old_acl, acl(redis)) if old_acl else []
    _update(acl_file, acl(redis))
    _update(directory / LABELS_KEY, _labels_key(directory))
    _update(directory / "redis" / "memory.conf", redis_memory.configuration(doors, history_length))
    return changed


def definitions(
    passwords: Mapping[str, str], hashes: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The broker's definitions with one user for each role.

    A hash of ``hashes`` that fits the role's password is kept: another salt would look like another
    password.
    """
    known = hashes or {}
    users = [
        {
            "name": role,
            "password_hash": _kept(known.get(role), password) or rabbit_hash(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator" if role == "admin" else "",
        }
        for role, password in passwords.items()
    ]
    permissions = [
        {"user": role, "vhost": "/", "configure": configure, "write": write, "read": read}
        for role, (configure, write, read) in BROKER_RIGHTS.items()
    ]
    topics = [
        {"user": role, "vhost": "/", "exchange": LIVE_EXCHANGE, "write": keys, "read": NOTHING}
        for role, keys in LIVE_KEYS.items()
    ]
    return {
        **json.loads(DEFINITIONS.read_bytes()),
        "users": users,
        "permissions": permissions,
        "topic_permissions": topics,
    }


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


def _password(directory: Path, role: str, *, broker: bool) -> str:
    """A role's password: that of its file, or a new one in its files."""
    paths = [
        directory / container / name
        for container, given in GIVEN.items()
        for name, whose in given.items()
        if whose == role and (name == "broker" or container == "rabbitmq") == broker
    ]
    password = private_files.read(paths[0]) or secrets.token_urlsafe(24)
    for path in paths:
        _update(path, password)
    return password


def _labels_key(directory: Path) -> str:
    """The key of the desk's crops to label: never another one, or no crop could be read."""
    known = private_files.read(directory / LABELS_KEY)
    return known or base64.b64encode(secrets.token_bytes(32)).decode()


def _update(path: Path, text: str) -> None:
    if private_files.read(path) != text.rstrip("\n"):
        private_files.write(path, text)


def _hashes(found: Mapping[str, Any]) -> dict[str, str]:
    return {user["name"]: user["password_hash"] for user in found.get("users", ())}


def _kept(hashed: str | None, password: str) -> str | None:
    if hashed is None:
        return None
    salt = base64.b64decode(hashed)[:4]
    return hashed if rabbit_hash(password, salt) == hashed else None
