"""Marks each handler with the role that it needs; a route without a mark is an error at start."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route

from desk.access.identity import SignedIn, who
from desk.access.roles import Role

_MARK = "needs_role"
_FILES = ("/static", "/assets")
Handler = TypeVar("Handler", bound=Callable[..., Any])


def requires(role: Role) -> Callable[[Handler], Handler]:
    """Only users of this role, or of one above, reach the handler: a plain or async function."""

    def decorate(handler: Handler) -> Handler:
        if inspect.iscoroutinefunction(handler):

            async def guarded(request: Request) -> Any:
                _check(request, role)
                return await handler(request)

        else:

            def guarded(request: Request) -> Any:  # type: ignore[misc]
                _check(request, role)
                return handler(request)

        wrapped = functools.wraps(handler)(guarded)
        setattr(wrapped, _MARK, role)
        return wrapped  # type: ignore[return-value]

    return decorate


def public(handler: Handler) -> Handler:
    """Everybody reaches the handler: the sign-in page, and whether the process is alive."""
    setattr(handler, _MARK, None)
    return handler


def signed_in(request: Request) -> SignedIn:
    """Who sends a request, in a handler that requires a role.

    Raises:
        HTTPException: 401, nobody is signed in.
    """
    found = who(request)
    if found is None:
        raise HTTPException(401, "sign in first")
    return found


def form_of(request: Request) -> dict[str, str]:
    """The fields of a POST, whose token has been checked."""
    return dict(request.state.form)


def role_of(route: Route) -> Role | None:
    """The role that a route needs; None if everybody may.

    Raises:
        TypeError: its handler is not marked.
    """
    role: Role | str | None = getattr(route.endpoint, _MARK, _MARK)
    if isinstance(role, str):
        msg = f"{route.path}: mark its handler with @requires(Role.…) or @public"
        raise TypeError(msg)
    return role


def check_marks(routes: Iterable[BaseRoute]) -> None:
    """Refuse routes whose handler nobody thought about. Mounts are for static files alone.

    Raises:
        TypeError: names the route.
    """
    for route in routes:
        if isinstance(route, Route):
            role_of(route)
        elif not isinstance(route, Mount) or route.path not in _FILES:
            msg = f"{route}: use a plain Route"
            raise TypeError(msg)


def _check(request: Request, role: Role) -> None:
    if signed_in(request).user.role < role:
        raise HTTPException(403, f"this needs the role {role.label}")
