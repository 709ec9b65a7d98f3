"""ASGI middleware: who sends a request, and whether its form has the session's token."""

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.access.access import Access
from desk.access.identity import SignedIn
from desk.web.bodies import read_form
from desk.web.errors import on_http_error

_METHODS = ("GET", "HEAD", "POST")
TOKEN_FIELD = "csrf"  # noqa: S105  (the name of a field)
TOKEN_HEADER = "x-csrf-token"  # noqa: S105


class Gatekeeper:
    """Sets ``signed_in`` and ``form`` of a request's state, and refuses forms without token."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, check and pass on."""
        request = Request(scope, receive)
        request.state.signed_in, request.state.form = None, {}
        try:
            signed_in = await self._check(request, receive)
        except HTTPException as error:  # middleware is outside of Starlette's own handling
            await on_http_error(request, error)(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and signed_in and signed_in.new_id:
                cookie = self._access.session_cookie(signed_in.new_id)
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, with_cookie)

    async def _check(self, request: Request, receive: Receive) -> SignedIn | None:
        if request.method not in _METHODS:
            raise HTTPException(405, "GET or POST", headers={"Allow": ", ".join(_METHODS)})
        if request.method == "POST":
            request.state.form = await read_form(request, receive, self._access.client_timeout_s)
        signed_in = self._access.identify(request)
        request.state.signed_in = signed_in
        if request.method == "POST":
            self._check_token(request, signed_in.session_id if signed_in else None)
        return signed_in

    def _check_token(self, request: Request, session_id: str | None) -> None:
        token = request.headers.get(TOKEN_HEADER) or request.state.form.get(TOKEN_FIELD, "")
        if not self._access.token_fits(request, token, session_id):
            raise HTTPException(403, "this form is out of date: load the page again")
