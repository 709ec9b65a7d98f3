"""The sign-in page, and the sign-out."""

import math
import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.access.access import Access
from desk.access.identity import who
from desk.access.passwords import BusyError
from desk.access.requires import form_of, public, signed_in
from desk.access.users import User
from desk.journal import NOBODY
from desk.web.pages import page

PATH, OUT_PATH = "/sign-in", "/sign-out"
#: Where a sign-in may lead: a path of this page, never another host.
_NEXT = re.compile(r"/(?!/)[A-Za-z0-9/_-]{0,200}")
_WRONG = "The name or the password is wrong."


def routes(access: Access) -> list[Route]:
    """The routes of the sign-in."""

    @public
    def form(request: Request) -> Response:
        if access.proxy.header is not None:
            raise HTTPException(403, "the proxy in front of this page says who is signed in")
        to = request.query_params.get("next", "/")
        if who(request) is not None:
            return RedirectResponse(next_of(to), 303)
        return _form(access, request, to)

    @public
    def sign_in(request: Request) -> Response:
        return _sign_in(access, request)

    @public
    def sign_out(request: Request) -> Response:
        found = signed_in(request)
        access.sessions.end(found.session.key)
        access.journal.write(found.user.name, "sign_out", **_address(access, request))
        response = RedirectResponse(PATH, 303)
        response.headers["Set-Cookie"] = access.no_session_cookie()
        # The browser forgets what it has of this page, also what Back would show.
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return [
        Route(PATH, form),
        Route(PATH, sign_in, methods=["POST"]),
        Route(OUT_PATH, sign_out, methods=["POST"]),
    ]


def next_of(text: str) -> str:
    """A path of this page, whatever somebody wrote into a link."""
    return text if _NEXT.fullmatch(text) else "/"


def _sign_in(access: Access, request: Request) -> Response:
    if access.proxy.header is not None:
        raise HTTPException(403, "the proxy in front of this page says who is signed in")
    fields = form_of(request)
    name, to = fields.get("name", "")[:64], fields.get("next", "/")
    user = access.users.find(name)
    # A password that was typed into the wrong field must not get into the journal.
    known = user.name if user else NOBODY
    if wait_s := _wait_s(access, request, name):
        # Once for an address: who tries on and on must not fill the disk.
        if not access.told.take(access.proxy.address_of(request)):
            access.journal.write(known, "sign_in_refused", **_address(access, request))
        response = _form(
            access, request, to, f"Too many attempts: wait {math.ceil(wait_s / 60)} min.", 429
        )
        response.headers["Retry-After"] = str(math.ceil(wait_s))
        return response
    try:
        fits = access.passwords.fits(user, fields.get("password", ""))
    except BusyError:
        return _form(access, request, to, "Many people sign in just now: try again.", 503)
    if user is None or not fits:
        access.journal.write(known, "sign_in_failed", **_address(access, request))
        return _form(access, request, to, _WRONG, 403)
    return _begin(access, request, user, to)


def _wait_s(access: Access, request: Request, name: str) -> float:
    address = access.proxy.address_of(request)
    return access.by_address.take(address) or access.by_name.take(name)


def _begin(access: Access, request: Request, user: User, to: str) -> Response:
    """A session with a new id, whatever the browser had before."""
    access.journal.write(user.name, "sign_in", **_address(access, request))
    access.by_name.forget(user.name)
    access.by_address.give_back(access.proxy.address_of(request))
    if old := who(request):
        access.sessions.end(old.session.key)
    response = RedirectResponse(next_of(to), 303)
    response.headers["Set-Cookie"] = access.session_cookie(access.sessions.start(user))
    return response


def _form(
    access: Access, request: Request, to: str, error: str = "", status: int = 200
) -> Response:
    token, cookie = access.new_form()
    response = page(
        request, "access/sign_in.html", status=status, error=error, token=token, to=next_of(to)
    )
    response.headers["Set-Cookie"] = cookie
    return response


def _address(access: Access, request: Request) -> dict[str, str]:
    return {"address": access.proxy.address_of(request)}
