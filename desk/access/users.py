"""The users file: one line for each user with name, role and Argon2 hash, separated by spaces.

A hash of ``-`` is a user who can't sign in with a password, for sites where a proxy says who it is.
The file is read again when it changes, so that a user who is removed is out at once.
"""

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from desk.access.roles import BY_LABEL, Role
from maskgate.protocol.errors import ConfigurationError

NO_PASSWORD = "-"  # noqa: S105  (says that there is none)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_MAX_BYTES = 1 << 20
#: Not for others to read, not for a group to write.
_FORBIDDEN_MODE = stat.S_IRWXO | stat.S_IWGRP

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the page."""

    name: str
    role: Role
    password_hash: str = field(repr=False)


def is_name(name: str) -> bool:
    """Whether this can be a user's name."""
    return _NAME.fullmatch(name) is not None


def read(path: Path) -> dict[str, User]:
    """The users of a file, by name.

    Raises:
        ConfigurationError: the file can't be read, others may read it, or a line is wrong.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:_MAX_BYTES].decode()
    except (OSError, UnicodeError) as error:
        msg = f"users file {path}: {getattr(error, 'strerror', None) or error}"
        raise ConfigurationError(msg) from None
    if mode & _FORBIDDEN_MODE:
        msg = f"users file {path}: others can read or a group can change it; run chmod 600 {path}"
        raise ConfigurationError(msg)
    users: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            user = _parsed(line, f"users file {path}, line {number}")
            if user.name in users:
                msg = f"users file {path}, line {number}: {user.name} is there twice"
                raise ConfigurationError(msg)
            users[user.name] = user
    return users


def text_of(users: dict[str, User]) -> str:
    """The content of a users file."""
    return "".join(
        f"{user.name} {user.role.label} {user.password_hash}\n" for user in users.values()
    )


def _parsed(line: str, where: str) -> User:
    parts = line.split()
    if len(parts) != 3 or not is_name(parts[0]) or parts[1] not in BY_LABEL:
        msg = f"{where}: wanted NAME {'|'.join(BY_LABEL)} HASH"
        raise ConfigurationError(msg)
    if parts[2] != NO_PASSWORD and not parts[2].startswith("$argon2"):
        msg = f"{where}: the hash is not one of Argon2; use python -m desk user password {parts[0]}"
        raise ConfigurationError(msg)
    return User(parts[0], BY_LABEL[parts[1]], parts[2])


class Users:
    """The users of a file, as they are now.

    Raises:
        ConfigurationError: as :func:`read`; only when made. Later, a file that can't be used means
            that nobody may do anything, and the log says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = read(path)
        self._seen = self._stamp()

    def find(self, name: str) -> User | None:
        """The user of this name."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._known = read(self._path)
            except ConfigurationError as error:
                log.error("desk.no_users", error=str(error))
                self._known = {}
        return self._known.get(name)

    def all(self) -> list[User]:
        """All users."""
        return list(self._known.values())

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
