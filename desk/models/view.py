"""The page of models: who decides, the challenger's record, and the operator's two buttons."""

from collections.abc import Callable, Mapping

from redis import Redis
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.access.requires import form_of, requires, signed_in
from desk.access.roles import Role
from desk.journal import Journal
from desk.models.changes import Changes
from desk.models.reader import ModelsPage, read_page
from desk.web.pages import page
from maskgate.models.promotion import SWAP_S, PromotionError
from maskgate.runtime.clock import Clock, now_ms

PATH = "/models"
#: While workers change their model, the page is loaded again after this many seconds.
_RELOAD_S = 1


def routes(client: Redis, journal: Journal, *, clock: Clock = now_ms) -> list[Route]:
    """The routes of the view."""
    changes = Changes(client, journal)

    @requires(Role.VIEWER)
    def models(request: Request) -> Response:
        return _shown(request, read_page(client), clock)

    def changed(request: Request, change: Callable[[str, Mapping[str, str]], None]) -> Response:
        try:
            change(signed_in(request).user.name, form_of(request))
        except PromotionError as error:
            return _shown(request, read_page(client), clock, refusal=str(error))
        return RedirectResponse(PATH, 303)

    @requires(Role.OPERATOR)
    def promoting(request: Request) -> Response:
        return changed(request, changes.promote)

    @requires(Role.OPERATOR)
    def going_back(request: Request) -> Response:
        return changed(request, changes.roll_back)

    return [
        Route(PATH, models),
        Route(f"{PATH}/promote", promoting, methods=["POST"]),
        Route(f"{PATH}/rollback", going_back, methods=["POST"]),
    ]


def _shown(request: Request, found: ModelsPage, clock: Clock, *, refusal: str = "") -> Response:
    response = page(
        request,
        "models/models.html",
        status=409 if refusal else 200,
        found=found,
        models=found.models,
        refusal=refusal,
        is_operator=signed_in(request).user.role >= Role.OPERATOR,
    )
    if not refusal and _is_changing(found, clock()):
        response.headers["Refresh"] = str(_RELOAD_S)
    return response


def _is_changing(found: ModelsPage, at_ms: int) -> bool:
    """Whether a promotion is so new that workers may still follow it."""
    reign = found.models.reign
    is_new = reign is not None and at_ms - reign.changed_at_ms < 2000 * SWAP_S
    return is_new and not all(each.follows for each in found.workers)
