"""The page of precision: with labels by window, day, slice, camera and model; and without."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from redis import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from desk.access.requires import requires
from desk.access.roles import Role
from desk.precision.day_plot import HEIGHT, LEFT, WIDTH, day_plot
from desk.precision.expected import Estimates, ReadEstimates, nothing
from desk.precision.fresh import Fresh
from desk.precision.reader import Named, Precision, read_precision
from desk.precision.shown import MEASURES, Line, expected_line, lines, targets
from desk.web.pages import page
from maskgate.runtime.clock import Clock, now_ms

_CONTENT = "precision/content.html"
_WINDOWS = {"newest": "newest 1,000 samples", "today": "today", "30d": "30 days"}
#: They are of whole hours; reading them for 200 cameras takes 100 ms, which pages would wait for.
_EXPECTED_FRESH_S = 60.0
_PLOTTED = ("precision", "recall", "accuracy", "coverage")


def routes(
    client: Redis,
    templates: Environment,
    *,
    estimates: ReadEstimates = nothing,
    clock: Clock = now_ms,
) -> list[Route]:
    """The routes of the view. ``estimates`` reads what is expected without labels."""
    expected_of: Fresh[str, Estimates] = Fresh(
        estimates, fresh_s=_EXPECTED_FRESH_S, stale_s=_EXPECTED_FRESH_S
    )

    def content(model: str | None) -> Markup:
        found = read_precision(client, model, clock())
        expected = expected_of.get(found.model if found else "")
        context = {**_context(found, expected), "read_ms": clock()}
        html = templates.get_template(_CONTENT).render(context)
        return Markup(html)  # noqa: S704  (the template escapes its values)

    fresh: Fresh[str | None, Markup] = Fresh(content)

    @requires(Role.VIEWER)
    def precision(request: Request) -> Response:
        model = request.query_params.get("model")
        return page(request, "precision/precision.html", content=fresh.get(model))

    return [Route("/precision", precision)]


def _context(found: Precision | None, expected: Estimates) -> dict[str, Any]:
    tables = _tables(found, expected)
    return {
        "found": found,
        "measures": MEASURES,
        "targets": targets(),
        "windows": _windows(found, expected),
        "tables": tables,
        "plots": [day_plot(measure, found.days) for measure in _PLOTTED] if found else [],
        "days": lines(found.days)[::-1] if found else [],
        "alarms": list(expected.alarms.values()),
        "left": LEFT,
        "width": WIDTH,
        "height": HEIGHT,
    }


def _windows(found: Precision | None, expected: Estimates) -> list[Line]:
    windows = found.windows if found else ()
    rows = lines([Named(_WINDOWS[each.name], each.report) for each in windows])
    if expected.all_cameras:
        rows.append(expected_line("24 hours, expected without labels", expected.all_cameras))
    return rows


def _tables(found: Precision | None, expected: Estimates) -> list[tuple[str, str, list[Line]]]:
    """Title, what a row is, and the rows."""
    return [
        ("By camera", "camera", _cameras(found.cameras if found else (), expected)),
        ("By slice", "slice", lines(found.slices if found else ())),
        ("By model", "model", lines(found.models if found else ())),
    ]


def _cameras(cameras: Sequence[Named], expected: Estimates) -> list[Line]:
    rows = []
    labelled = {each.name: each for each in cameras}
    for name in sorted({*labelled, *expected.cameras}):
        rows += lines([labelled[name]]) if name in labelled else []
        if name in expected.cameras:
            rows.append(expected_line(f"{name}, expected", expected.cameras[name]))
    return rows
