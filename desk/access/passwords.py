"""Passwords as Argon2id hashes (RFC 9106), checked in constant work whoever is named."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from desk.access.users import NO_PASSWORD, User, Users

#: NIST SP 800-63B: length matters, rules about characters don't help.
MIN_LENGTH, MAX_LENGTH = 10, 256
#: A check takes 64 MiB and four threads: so many at the same time.
_AT_ONCE = 2
_WAIT_S = 3.0

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


class BusyError(Exception):
    """Too many passwords are being checked; nothing is wrong with this one."""


def hash_of(password: str) -> str:
    """The hash of a password for the users file."""
    return _hasher.hash(password)


class Passwords:
    """Checks passwords, a few at the same time."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def fits(self, user: User | None, password: str) -> bool:
        """Whether this is the user's password.

        Without a user, or one without a password, another hash of the file is checked in vain: the
        work tells nobody who is there.

        Raises:
            BusyError: too many checks at the same time.
        """
        known = user is not None and user.password_hash != NO_PASSWORD
        wanted = user.password_hash if user is not None and known else self._others()
        if not self._room.acquire(timeout=_WAIT_S):
            raise BusyError
        try:
            return _hasher.verify(wanted, password[:MAX_LENGTH]) and known
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._room.release()

    def _others(self) -> str:
        """Some hash of the users file."""
        hashes = (user.password_hash for user in self._users.all())
        return next((each for each in hashes if each != NO_PASSWORD), NO_PASSWORD)
