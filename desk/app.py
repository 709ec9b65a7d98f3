"""Puts the page together from its views: ``create(…)`` makes the ASGI application."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from desk.access import sign_in
from desk.access.access import Access
from desk.access.gatekeeper import Gatekeeper
from desk.access.requires import check_marks, public, requires, signed_in
from desk.access.roles import Role
from desk.web.assets import Assets
from desk.web.errors import handlers
from desk.web.headers import SecurityHeaders
from desk.web.pages import Pages, environment
from desk.web.streams import Streams
from desk.web.view import View

_STATIC = Path(__file__).parent / "web" / "static"


def create(
    views: Sequence[View],
    access: Access,
    *,
    streams: Streams,
    templates: Environment | None = None,
    assets: Assets | None = None,
) -> Starlette:
    """The page with these views, in the order of the navigation.

    ``access`` says who may do what; ``streams`` limits the event streams of all views.

    Raises:
        TypeError: a view's handler has no mark of who may reach it.
    """
    routes = [
        Route("/", _home(views)),
        Route("/healthz", _healthz),
        *sign_in.routes(access),
        *(route for view in views for route in view.routes),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    if assets is not None and assets.files:
        routes.append(Mount("/assets", StaticFiles(directory=assets.folder)))
    check_marks(routes)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders, https=access.https),
            Middleware(Gatekeeper, access=access),
        ],
        exception_handlers=handlers(https=access.https),
    )
    app.state.pages = Pages(
        templates or environment(), views, access, assets.files if assets else {}
    )
    app.state.streams = streams
    return app


def _home(views: Sequence[View]) -> Callable[[Request], Response]:
    @requires(Role.VIEWER)
    def home(request: Request) -> Response:
        role = signed_in(request).user.role
        first = next((view.path for view in views if role >= view.role), None)
        if first is None:
            raise HTTPException(404, "there is nothing to see")
        return RedirectResponse(first, 303)

    return home


@public
def _healthz(_: Request) -> Response:
    return PlainTextResponse("alive\n")
