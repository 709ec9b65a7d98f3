"""Broker users of cameras: each may publish the crops of its own camera and nothing else.

A camera's user is ``camera-NAME``, so none has the name of a role. The broker's database is the
register of cameras; the secrets folder has each one's password in ``cameras/NAME/broker``.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maskgate.operations import private_files
from maskgate.operations.live_keys import ANY_CAMERA, USER_PREFIX, cameras_of, pattern_of
from maskgate.operations.management import Management
from maskgate.operations.rights import NOTHING
from maskgate.operations.secrets import rabbit_hash
from maskgate.protocol.crop import is_id
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.topology import AUDIT_EXCHANGE, LIVE_EXCHANGE

_VHOST = "/"


@dataclass(frozen=True, slots=True)
class Sender:
    """What one user may send: crops of these cameras, None for any; ``audit``: labelled samples."""

    cameras: Sequence[str] | None
    audit: bool = False

    def pattern(self) -> str:
        """The topic permission."""
        return ANY_CAMERA if self.cameras is None else pattern_of(self.cameras)

    def exchanges(self) -> str:
        """The write permission."""
        return f"^({LIVE_EXCHANGE}|{AUDIT_EXCHANGE})$" if self.audit else f"^{LIVE_EXCHANGE}$"


def user_of(name: str) -> str:
    """The broker user of a camera."""
    return USER_PREFIX + name


def password_file(directory: Path, name: str) -> Path:
    """Where a camera's password is, in a folder that only its container mounts."""
    return directory / "cameras" / name / "broker"


def add(management: Management, directory: Path, name: str, sender: Sender) -> Path:
    """Register a camera; returns the file of its password.

    A password that is there already is used again: the camera of a broker that was lost.

    Raises:
        ConfigurationError: the camera is registered, or an id is not valid.
        BrokerError: the broker can't be reached or refuses.
    """
    _check_ids([name, *(sender.cameras or ())])
    if management.get("users", user_of(name)) is not None:
        msg = f"camera {name!r} is registered: rotate its password, or revoke it first"
        raise ConfigurationError(msg)
    path = password_file(directory, name)
    password = private_files.read(path) or _new_password()
    private_files.write(path, password)
    _set_password(management, name, password)
    # The keys first: a user without a topic permission may publish any.
    topic = {"exchange": LIVE_EXCHANGE, "write": sender.pattern(), "read": NOTHING}
    management.put("topic-permissions", _VHOST, user_of(name), body=topic)
    rights = {"configure": NOTHING, "write": sender.exchanges(), "read": NOTHING}
    management.put("permissions", _VHOST, user_of(name), body=rights)
    return path


def rotate(management: Management, directory: Path, name: str) -> Path:
    """Give a camera a new password and cut off whoever uses the old one; returns its file.

    Raises:
        ConfigurationError: no such camera.
        BrokerError: as :func:`add`; run it again then.
    """
    _must_exist(management, name)
    path, password = password_file(directory, name), _new_password()
    private_files.write(path, password)
    _set_password(management, name, password)
    management.delete("connections", "username", user_of(name))
    return path


def revoke(management: Management, directory: Path, name: str) -> None:
    """Delete a camera's user, close its connections and delete its password.

    Raises:
        ConfigurationError: no such camera.
        BrokerError: as :func:`add`; run it again then.
    """
    _must_exist(management, name)
    management.delete("users", user_of(name))
    management.delete("connections", "username", user_of(name))
    password_file(directory, name).unlink(missing_ok=True)


def registered(management: Management) -> dict[str, Sender]:
    """Every camera that the broker knows, with what it may send.

    Raises:
        BrokerError: as :func:`add`.
    """
    names = [user["name"] for user in management.get("users") or ()]
    topics = {topic["user"]: topic["write"] for topic in management.get("topic-permissions") or ()}
    writes = {rights["user"]: rights["write"] for rights in management.get("permissions") or ()}
    return {
        user.removeprefix(USER_PREFIX): Sender(
            cameras_of(topics.get(user, "")), audit=AUDIT_EXCHANGE in writes.get(user, "")
        )
        for user in sorted(names)
        if user.startswith(USER_PREFIX)
    }


def _check_ids(names: Sequence[str]) -> None:
    for name in names:
        if not is_id(name):
            msg = f"{name[:80]!r}: a camera id has 1 to 64 letters, digits, '_' and '-'"
            raise ConfigurationError(msg)


def _must_exist(management: Management, name: str) -> None:
    _check_ids([name])
    if management.get("users", user_of(name)) is None:
        msg = f"camera {name!r} is not registered on the broker at {management.host}"
        raise ConfigurationError(msg)


def _new_password() -> str:
    return secrets.token_urlsafe(24)


def _set_password(management: Management, name: str, password: str) -> None:
    user = {
        "password_hash": rabbit_hash(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }
    management.put("users", user_of(name), body=user)
