"""Who sends a request: by the cookie of a session, or by the header of a trusted proxy."""

import ipaddress
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from desk.access.sessions import Session, Sessions
from desk.access.users import User, Users


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session and the user of a request. ``new_id`` is a session that it has begun."""

    session: Session
    user: User
    session_id: str
    new_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy in front of the page. Without an address nothing of a request's claims counts."""

    address: str | None = None
    header: str | None = None

    def is_sender(self, connection: HTTPConnection) -> bool:
        """Whether the request comes from the proxy."""
        return self.address is not None and self.address == _peer(connection)

    def address_of(self, connection: HTTPConnection) -> str:
        """The address that a request comes from; the proxy's word counts if it is the sender.

        The last entry of X-Forwarded-For is the one that the proxy added itself.
        """
        peer = _peer(connection)
        if not self.is_sender(connection):
            return peer
        said = ",".join(connection.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(said))
        except ValueError:
            return peer

    def name_in(self, connection: HTTPConnection) -> str | None:
        """Who the proxy says is signed in; None if the request has not come through it.

        Raises:
            HTTPException: 400 for two names: which one the proxy wrote can't be told.
        """
        if self.header is None or not self.is_sender(connection):
            return None
        names = connection.headers.getlist(self.header)
        if len(names) > 1:
            raise HTTPException(400, f"{self.header} is there {len(names)} times")
        return names[0] if names else None


def by_cookie(connection: HTTPConnection, cookie: str, sessions: Sessions) -> SignedIn | None:
    """Who the session's cookie says it is."""
    session_id = connection.cookies.get(cookie, "")
    found = sessions.find(session_id, touch=_is_asked(connection)) if session_id else None
    if found is None or found[0].by_header:
        return None
    return SignedIn(*found, session_id)


def by_header(
    connection: HTTPConnection, cookie: str, sessions: Sessions, users: Users, proxy: Proxy
) -> SignedIn | None:
    """Who the proxy says it is, with a session for the token of its forms."""
    name = proxy.name_in(connection)
    user = users.find(name) if name else None
    if user is None:
        return None
    session_id = connection.cookies.get(cookie, "")
    found = sessions.find(session_id) if session_id else None
    if found is not None and found[0].by_header and found[1].name == user.name:
        return SignedIn(*found, session_id)
    new_id = sessions.start(user, by_header=True)
    found = sessions.find(new_id)
    return SignedIn(*found, new_id, new_id) if found else None


def who(request: Request) -> SignedIn | None:
    """Who sends a request, as the middleware found out; None if nobody knows."""
    found: SignedIn | None = getattr(request.state, "signed_in", None)
    return found


def _is_asked(connection: HTTPConnection) -> bool:
    """Whether a person asked, and not a page that keeps itself up to date."""
    return "x-refresh" not in connection.headers


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""
