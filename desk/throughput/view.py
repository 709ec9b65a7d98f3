"""The page of throughput, its curves as JSON, and the stream that keeps it up to date."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from jinja2 import Environment
from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from desk.access.requires import requires, signed_in
from desk.access.roles import Role
from desk.throughput import shown
from desk.throughput.rendered import Rendered
from desk.throughput.ring import Point, Ring
from desk.web.pages import page
from desk.web.streams import streams_of

_LOOK_S = 0.5


def routes(ring: Ring, templates: Environment) -> list[Route]:
    """The routes of the view."""
    rendered = Rendered(ring, templates)

    @requires(Role.VIEWER)
    def throughput(request: Request) -> Response:
        return page(
            request,
            "throughput/throughput.html",
            figures=rendered.figures(may_handle=_may_handle(request)),
            plots=rendered.plots(),
        )

    @requires(Role.VIEWER)
    def curves(_: Request) -> Response:
        at_s, plots = shown.plots(ring)
        found = {
            plot.key: {"unit": plot.unit, "names": [curve.name for curve in plot.curves]}
            for plot in plots
        }
        return JSONResponse({"at": at_s, "plots": found, "columns": _columns(plots)})

    @requires(Role.VIEWER)
    async def events(request: Request) -> Response:
        may_handle = _may_handle(request)
        news = _news(ring, ring.newest, lambda: rendered.figures(may_handle=may_handle))
        return streams_of(request).response(request, news)

    return [
        Route("/throughput", throughput),
        Route("/throughput/curves.json", curves),
        Route("/throughput/events", events),
    ]


async def _news(
    ring: Ring, seen: Point | None, figures: Callable[[], str]
) -> AsyncIterator[ServerSentEvent | None]:
    """An event with each look: the figures as HTML, and the next values of the curves."""
    while True:
        await asyncio.sleep(_LOOK_S)
        newest = ring.newest
        if newest is None or newest is seen:
            yield None
            continue
        seen = newest
        at_s, plots = shown.plots(ring, newest_only=True)
        news = {"html": figures(), "at": at_s, "columns": _columns(plots)}
        yield ServerSentEvent(json.dumps(news), event="look")


def _columns(plots: list[shown.Plot]) -> dict[str, list[list[float | None]]]:
    return {plot.key: [list(curve.values) for curve in plot.curves] for plot in plots}


def _may_handle(request: Request) -> bool:
    return signed_in(request).user.role >= Role.OPERATOR
