"""CSRF tokens: an HMAC of the session's id, so that one session's token is no good for another.

The sign-in form has no session yet. Its token belongs to a random cookie (OWASP's signed
double-submit cookie), so that another site can't sign a browser in as somebody else.
"""

import hashlib
import hmac
import secrets


class Tokens:
    """Makes and checks tokens with a key of this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, cookie: str) -> str:
        """The token that belongs to a cookie's value."""
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()

    def fits(self, token: str, cookie: str) -> bool:
        """Whether a request has the token of its cookie."""
        return bool(cookie) and hmac.compare_digest(token.encode(), self.of(cookie).encode())
