"""The view of the doors: all of them, live, and one with its history."""

import json
import time
from collections.abc import AsyncIterator

from markupsafe import Markup
from redis import Redis
from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from desk.access.requires import requires
from desk.access.roles import Role
from desk.doors.board import Board, with_ages
from desk.doors.history import SHOWN, newest
from desk.web.pages import page
from desk.web.streams import streams_of
from maskgate.protocol.crop import is_id
from maskgate.runtime.clock import now_ms

PATH = "/doors"
#: A stream says at least so often that it is alive, and looks whether its session holds.
_QUIET_S = 2.0


def routes(board: Board, client: Redis) -> list[Route]:
    """The routes of the view. ``client`` reads histories."""

    # Async, because they only send what is there: no hop to another thread.
    @requires(Role.VIEWER)
    async def doors(request: Request) -> Response:
        table = board.table
        notes = Markup(table.notes)  # noqa: S704  (made by a template)
        return page(request, "doors/doors.html", rows=with_ages(table, now_ms()), notes=notes)

    @requires(Role.VIEWER)
    async def events(request: Request) -> Response:
        return streams_of(request).response(request, _changes(board))

    @requires(Role.VIEWER)
    async def camera(request: Request) -> Response:
        return await _camera(request, board, client)

    return [
        Route(PATH, doors),
        Route(f"{PATH}/events", events),
        Route(PATH + "/{camera}", camera),
    ]


async def _changes(board: Board) -> AsyncIterator[ServerSentEvent | None]:
    """The whole table, then what changes."""
    version, names, told_s = 0, set[str](), time.monotonic()
    with board.announcer.followed() as news:
        while True:
            table = board.table
            event = table.event_since(version, sorted(names - table.rows.keys()))
            version, names = table.version, set(table.rows)
            if not event and time.monotonic() - told_s >= _QUIET_S:
                event = json.dumps({"now": table.snapshot.at_ms})
            if event:
                told_s = time.monotonic()
            yield ServerSentEvent(event, event="rows") if event else None
            await news.wait(_QUIET_S)


async def _camera(request: Request, board: Board, client: Redis) -> Response:
    camera = request.path_params["camera"]
    if not is_id(camera):
        raise HTTPException(404, "there is no such camera")
    snapshot = board.table.snapshot
    door = next((each for each in snapshot.doors if each.camera == camera), None)
    entries, bad = await run_in_threadpool(newest, client, camera)
    if door is None and not entries and not bad:
        raise HTTPException(404, "there is no such camera")
    return page(
        request,
        "doors/camera.html",
        camera=camera,
        door=door,
        entries=entries,
        bad=bad,
        shown=SHOWN,
        now_ms=now_ms(),
    )
