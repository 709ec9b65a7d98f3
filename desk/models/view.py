"""The page of models: who decides, the challenger's record, and the operator's two buttons."""

from collections.abc import Callable

from redis import Redis
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.access.requires import form_of, requires, signed_in
from desk.access.roles import Role
from desk.journal import Journal
from desk.models.reader import ModelsPage, read_page
from desk.web.pages import page
from maskgate.models.promotion import SWAP_S, PromotionError, find, promote
from maskgate.models.records import Models, read
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.models import ModelId
from maskgate.runtime.clock import Clock, now_ms

PATH = "/models"
_MAX_WHY = 500
#: While workers change their model, the page is loaded again after this many seconds.
_RELOAD_S = 1

#: Which model an operator wants, from what is known and the form.
_Choose = Callable[[Models, dict[str, str]], ModelId]


def routes(client: Redis, journal: Journal, *, clock: Clock = now_ms) -> list[Route]:
    """The routes of the view."""

    @requires(Role.VIEWER)
    def models(request: Request) -> Response:
        return _shown(request, read_page(client), clock)

    def changed(request: Request, action: str, choose: _Choose) -> Response:
        who, form = signed_in(request).user.name, form_of(request)
        try:
            _change(client, journal, form, choose, who=who, action=action)
        except PromotionError as error:
            journal.write(who, f"{action}_refused", reason=str(error))
            return _shown(request, read_page(client), clock, refusal=str(error))
        return RedirectResponse(PATH, 303)

    @requires(Role.OPERATOR)
    def promoting(request: Request) -> Response:
        return changed(request, "promote", lambda seen, form: find(seen, form.get("sha256", "")))

    @requires(Role.OPERATOR)
    def going_back(request: Request) -> Response:
        return changed(request, "rollback", lambda seen, _: _previous(seen))

    return [
        Route(PATH, models),
        Route(f"{PATH}/promote", promoting, methods=["POST"]),
        Route(f"{PATH}/rollback", going_back, methods=["POST"]),
    ]


def _change(
    client: Redis,
    journal: Journal,
    form: dict[str, str],
    choose: _Choose,
    *,
    who: str,
    action: str,
) -> None:
    """Write the change to the journal, and make it if nobody changed anything since the page.

    Raises:
        PromotionError: nothing was changed.
    """
    seen, why = read(client), form.get("why", "").strip()[:_MAX_WHY]
    if form.get("generation", "") != str(seen.generation):
        msg = "the champion was changed since you loaded this page: look again"
        raise PromotionError(msg)
    model, forced = choose(seen, form), form.get("force") == "yes"
    journal.write(
        who,
        action,
        model=model.name,
        sha256=model.sha256,
        before=seen.champion.name if seen.champion else "",
        generation=seen.generation + 1,
        forced=forced,
        why=why,
    )
    try:
        promote(client, seen, model, by=who, why=why, forced=forced, action=action)
    except PromotionError:
        raise
    except MaskgateError as error:
        # Nobody knows whether Redis did it: the next reading tells.
        journal.write(who, f"{action}_in_doubt", reason=str(error))
        raise


def _previous(seen: Models) -> ModelId:
    if seen.previous is None:
        msg = "nobody was champion before: there is nothing to go back to"
        raise PromotionError(msg)
    return seen.previous


def _shown(request: Request, found: ModelsPage, clock: Clock, *, refusal: str = "") -> Response:
    reign, now = found.models.reign, clock()
    is_operator = signed_in(request).user.role >= Role.OPERATOR
    response = page(
        request,
        "models/models.html",
        found=found,
        models=found.models,
        now_ms=now,
        refusal=refusal,
        is_operator=is_operator,
        status=409 if refusal else 200,
    )
    is_changing = reign is not None and now - reign.changed_at_ms < 2000 * SWAP_S
    if is_changing and not refusal and not all(each.follows for each in found.workers):
        response.headers["Refresh"] = str(_RELOAD_S)
    return response
