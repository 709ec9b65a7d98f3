"""Dead letters for operators: why, from which camera, how old; give back or delete. No picture."""

from dataclasses import asdict
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.access.requires import form_of, requires, signed_in
from desk.access.roles import Role
from desk.journal import Journal
from desk.throughput.dead_letter_box import Before, DeadLetterBox, Done, Row, by_reason
from desk.web.pages import page
from maskgate.runtime.clock import Clock, now_ms

PATH = "/throughput/dead-letters"
#: What a form names instead of one letter.
ALL = "all"
_SHOWN = 200
_ANSWERS = ("requeued", "deleted")


def routes(box: DeadLetterBox, journal: Journal, clock: Clock = now_ms) -> list[Route]:
    """The routes of the view."""

    def shown(request: Request, done: Done | None = None) -> Response:
        listing = box.listing(_SHOWN)
        refused = dict(done.refused) if done else {}
        return page(
            request,
            "throughput/dead_letters.html",
            status=409 if refused else 200,
            rows=listing.rows,
            total=listing.total,
            reasons=by_reason(listing.rows),
            now_ms=clock(),
            refused=refused,
            answers={name: _whole(request.query_params.get(name)) for name in _ANSWERS},
        )

    @requires(Role.OPERATOR)
    def listed(request: Request) -> Response:
        return shown(request)

    @requires(Role.OPERATOR)
    def requeue(request: Request) -> Response:
        wanted = _wanted(request)
        before = _written(journal, request, "dead_letter_requeued", each=wanted is not None)
        if wanted is None:
            journal.write(_who(request), "dead_letters_requeued", letters=ALL)
        done = box.requeue(before, wanted)
        if not done.found:
            raise HTTPException(404, "this dead letter is not there any more")
        return shown(request, done) if done.refused else _back(requeued=done.count)

    @requires(Role.OPERATOR)
    def delete(request: Request) -> Response:
        wanted = _wanted(request)
        if wanted is None:
            journal.write(_who(request), "dead_letters_deleted", letters=ALL)
            return _back(deleted=box.purge().count)
        done = box.delete(_written(journal, request, "dead_letter_deleted", each=True), wanted)
        if not done.found:
            raise HTTPException(404, "this dead letter is not there any more")
        return _back(deleted=done.count)

    return [
        Route(PATH, listed),
        Route(f"{PATH}/requeue", requeue, methods=["POST"]),
        Route(f"{PATH}/delete", delete, methods=["POST"]),
    ]


def _wanted(request: Request) -> str | None:
    """The letter that a form names; None for all of them."""
    letter = form_of(request).get("letter", "")
    if not letter:
        raise HTTPException(400, "which dead letter?")
    return None if letter == ALL else letter


def _written(journal: Journal, request: Request, action: str, *, each: bool) -> Before:
    """Writes a letter to the journal before something is done with it."""

    def write(row: Row) -> None:
        if each:
            facts = {name: value for name, value in asdict(row).items() if value is not None}
            journal.write(_who(request), action, **facts)

    return write


def _back(**answers: int) -> Response:
    return RedirectResponse(f"{PATH}?{urlencode(answers)}", 303)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else None


def _who(request: Request) -> str:
    return signed_in(request).user.name
