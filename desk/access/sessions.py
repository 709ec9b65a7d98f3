"""Sessions live in this process: a browser holds a random id, the server its hash and the rest.

A restart ends all of them. There is no secret to keep, rotate or lose.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from desk.access.users import User, Users

#: More sessions than a site's people need; the oldest ends.
_MOST = 1000
_MOST_OF_ONE = 20


@dataclass(slots=True)
class Session:
    """What the server knows about a browser that is signed in."""

    key: bytes
    user: str
    #: The user's hash at the sign-in: a new password ends the sessions of the old one.
    password_hash: str
    #: Signed in by the proxy's header, and good for requests with that header alone.
    by_header: bool
    since_s: float
    seen_s: float


class Sessions:
    """The sessions of all users. Thread-safe.

    A session ends ``idle_s`` after its last request and ``lifetime_s`` after the sign-in, whichever
    comes first, and when its user is removed or gets another password.
    """

    def __init__(
        self,
        users: Users,
        *,
        idle_s: float,
        lifetime_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._idle_s, self._lifetime_s = idle_s, lifetime_s
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}

    def start(self, user: User, *, by_header: bool = False) -> str:
        """Begin a session; returns its id, which nobody else knows: 256 random bits."""
        session_id, now_s = secrets.token_urlsafe(32), self._clock()
        key = key_of(session_id)
        with self._lock:
            self._make_room(user.name)
            self._sessions[key] = Session(
                key, user.name, user.password_hash, by_header, now_s, now_s
            )
        return session_id

    def find(self, session_id: str, *, touch: bool = True) -> tuple[Session, User] | None:
        """A session that still holds, and its user as the users file has them now."""
        return self.still(key_of(session_id), touch=touch)

    def still(self, key: bytes, *, touch: bool = False) -> tuple[Session, User] | None:
        """As :meth:`find`, for a long answer that must end with its session."""
        with self._lock:
            session, now_s = self._sessions.get(key), self._clock()
            if session is None:
                return None
            user = self._users.find(session.user)
            if user is None or self._is_over(session, user, now_s):
                del self._sessions[key]
                return None
            if touch:
                session.seen_s = now_s
            return session, user

    def end(self, key: bytes) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(key, None)

    def _is_over(self, session: Session, user: User, now_s: float) -> bool:
        return (
            now_s - session.seen_s >= self._idle_s
            or now_s - session.since_s >= self._lifetime_s
            or user.password_hash != session.password_hash
        )

    def _make_room(self, user: str) -> None:
        own = [key for key, session in self._sessions.items() if session.user == user]
        for key in own[: max(0, len(own) - _MOST_OF_ONE + 1)]:
            del self._sessions[key]
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]


def key_of(session_id: str) -> bytes:
    """What the server keeps of an id: who reads its memory can't sign in with it."""
    return hashlib.sha256(session_id.encode()).digest()
