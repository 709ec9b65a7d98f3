"""What the page knows about who may do what: users, sessions, tokens, limits and journal."""

import secrets
from dataclasses import dataclass, field

from starlette.requests import Request

from desk.access.attempts import Attempts
from desk.access.identity import Proxy, SignedIn, by_cookie, by_header
from desk.access.passwords import Passwords
from desk.access.sessions import Sessions
from desk.access.tokens import Tokens
from desk.access.users import Users
from desk.journal import Journal

#: Failures of a whole site's people in five minutes are fewer than those of a guesser.
_WINDOW_S = 300.0
_OF_A_NAME, _OF_AN_ADDRESS = 10, 30


@dataclass(frozen=True, slots=True)
class Access:
    """Shared by the middleware, the sign-in page and whoever asks who is there."""

    users: Users
    sessions: Sessions
    journal: Journal
    passwords: Passwords
    proxy: Proxy = field(default_factory=Proxy)
    https: bool = False
    #: How long a client may take to send a form.
    client_timeout_s: float = 10.0
    tokens: Tokens = field(default_factory=Tokens)
    by_name: Attempts = field(default_factory=lambda: Attempts(_OF_A_NAME, _WINDOW_S))
    by_address: Attempts = field(default_factory=lambda: Attempts(_OF_AN_ADDRESS, _WINDOW_S))
    #: Of refusals that the journal has already.
    told: Attempts = field(default_factory=lambda: Attempts(1, _WINDOW_S))

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. ``__Host-``: no other host or path can set it."""
        return "__Host-desk" if self.https else "desk"

    @property
    def form_cookie(self) -> str:
        """The name of the cookie that the token of the sign-in form belongs to."""
        return f"{self.cookie}-form"

    def identify(self, request: Request) -> SignedIn | None:
        """Who sends a request; None if nobody knows."""
        if self.proxy.header is not None:
            return by_header(request, self.cookie, self.sessions, self.users, self.proxy)
        return by_cookie(request, self.cookie, self.sessions)

    def token_fits(self, request: Request, token: str, session_id: str | None) -> bool:
        """Whether a form's token is that of its session or, before the sign-in, of its cookie."""
        cookie = session_id or request.cookies.get(self.form_cookie, "")
        return self.tokens.fits(token, cookie)

    def session_cookie(self, session_id: str) -> str:
        """The Set-Cookie header of a session; it ends with the browser's."""
        return self._cookie(self.cookie, session_id)

    def new_form(self) -> tuple[str, str]:
        """The token of a sign-in form, and the Set-Cookie header that belongs to it."""
        value = secrets.token_urlsafe(32)
        return self.tokens.of(value), self._cookie(self.form_cookie, value)

    def no_session_cookie(self) -> str:
        """The Set-Cookie header that deletes the session's cookie."""
        return self._cookie(self.cookie, "") + "; Max-Age=0"

    def _cookie(self, name: str, value: str) -> str:
        secure = "; Secure" if self.https else ""
        return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"
