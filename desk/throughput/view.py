"""The page of throughput, its figures as JSON, and the stream that keeps it up to date."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from desk.access.requires import requires, signed_in
from desk.access.roles import Role
from desk.throughput import shown
from desk.throughput.ring import Point, Ring
from desk.throughput.sparkline import HEIGHT, WIDTH, polylines, top_of
from desk.web.pages import Pages, page
from desk.web.streams import streams_of
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE

_QUEUES = {
    LIVE_QUEUE: "Live crops that wait",
    AUDIT_QUEUE: "Audit samples that wait",
    DEAD_QUEUE: "Dead letters",
}
_LOOK_S = 0.5
_FIGURES = "throughput/figures.html"


def routes(ring: Ring) -> list[Route]:
    """The routes of the view."""

    @requires(Role.VIEWER)
    def throughput(request: Request) -> Response:
        return page(
            request, "throughput/throughput.html", **_context(request, ring), **_drawn(ring)
        )

    @requires(Role.VIEWER)
    def curves(_: Request) -> Response:
        at_s, plots = shown.plots(ring)
        found = {
            plot.key: {"unit": plot.unit, "names": [curve.name for curve in plot.curves]}
            for plot in plots
        }
        columns = {plot.key: [curve.values for curve in plot.curves] for plot in plots}
        return JSONResponse({"at": at_s, "plots": found, "columns": columns})

    @requires(Role.VIEWER)
    async def events(request: Request) -> Response:
        return streams_of(request).response(request, _news(request, ring, ring.newest))

    return [
        Route("/throughput", throughput),
        Route("/throughput/curves.json", curves),
        Route("/throughput/events", events),
    ]


async def _news(
    request: Request, ring: Ring, seen: Point | None
) -> AsyncIterator[ServerSentEvent | None]:
    """An event with each look of the collector: the figures as HTML, and the plots' next values."""
    while True:
        await asyncio.sleep(_LOOK_S)
        newest = ring.newest
        if newest is None or newest is seen:
            yield None
            continue
        seen = newest
        pages: Pages = request.app.state.pages
        html = pages.render(request, _FIGURES, _context(request, ring))
        at_s, plots = shown.plots(ring, newest_only=True)
        columns = {plot.key: [curve.values for curve in plot.curves] for plot in plots}
        news = {"html": html, "at": at_s, "columns": columns}
        yield ServerSentEvent(json.dumps(news), event="look")


def _context(request: Request, ring: Ring) -> dict[str, Any]:
    newest = ring.newest
    return {
        "newest": newest,
        "queues": [
            (name, shown.count(newest.depths.get(queue)) if newest else "–")
            for queue, name in _QUEUES.items()
        ],
        "workers": newest.workers if newest else (),
        "cameras": newest.cameras if newest else (),
        "ready": sum(each.ready for each in newest.workers) if newest else 0,
        "speeds": shown.speeds(ring),
        "outcomes": shown.outcomes(ring),
        "memory": shown.memory(newest) if newest else "–",
        "history": shown.history(newest) if newest else "–",
        "may_handle": signed_in(request).user.role >= Role.OPERATOR,
    }


def _drawn(ring: Ring) -> dict[str, Any]:
    """The plots for browsers without JavaScript."""
    _, plots = shown.plots(ring)
    drawn = []
    for plot in plots:
        top = top_of(curve.values for curve in plot.curves)
        pieces = [(curve.name, polylines(curve.values, top)) for curve in plot.curves]
        drawn.append((plot, f"{top:,.0f} {plot.unit}".strip(), pieces))
    return {"plots": drawn, "width": WIDTH, "height": HEIGHT}
