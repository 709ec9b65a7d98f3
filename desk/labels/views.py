"""The page on which people label crops, one at a time.

A picture goes to labellers and operators alone, and no browser may keep it.
"""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.access.requires import form_of, requires, signed_in
from desk.access.roles import Role
from desk.journal import Journal
from desk.labels import deletion_view
from desk.labels.outcomes import Answer
from desk.labels.pictures import PictureError
from desk.labels.png import to_png
from desk.labels.rules import Labelling
from desk.labels.store import LabelStore
from desk.labels.tombstones import digest_of
from desk.web.pages import page

#: Answer → the keys of its button, and its words. The first key is shown.
BUTTONS = {
    Answer.MASK: ("1 m", "Mask"),
    Answer.NO_MASK: ("2 n", "No mask"),
    Answer.WORN_BADLY: ("3 b", "Worn badly"),
    Answer.CANT_TELL: ("4 c", "Can’t tell"),
}

log = structlog.get_logger()


def routes(store: LabelStore, labelling: Labelling, journal: Journal) -> list[Route]:
    """The routes of the view."""

    @requires(Role.LABELLER)
    def label(request: Request) -> Response:
        name = signed_in(request).user.name
        return page(
            request,
            "labels/labels.html",
            crop_id=labelling.next(name),
            progress=labelling.progress(name),
            outcomes=labelling.outcomes(),
            buttons=BUTTONS,
            may_delete=signed_in(request).user.role >= Role.OPERATOR,
        )

    @requires(Role.LABELLER)
    def picture(request: Request) -> Response:
        crop_id = request.path_params["crop_id"]
        try:
            png = to_png(store.pictures.read(crop_id))
        except PictureError as error:
            log.warning("labels.no_picture", error=str(error))
            raise HTTPException(404, "there is no such picture") from None
        return Response(png, media_type="image/png", headers={"Cache-Control": "no-store"})

    @requires(Role.LABELLER)
    def answer(request: Request) -> Response:
        form, name = form_of(request), signed_in(request).user.name
        crop_id, given = form.get("crop_id", ""), form.get("answer", "")
        if given not in tuple(Answer):
            raise HTTPException(400, "no such answer")
        if labelling.answer(crop_id, name, Answer(given)):
            journal.write(name, "label", crop=digest_of(crop_id), answer=given)
        return RedirectResponse("/labels", 303)

    @requires(Role.LABELLER)
    def undo(request: Request) -> Response:
        name = signed_in(request).user.name
        crop_id = labelling.undo(name)
        if crop_id is not None:
            journal.write(name, "label_undone", crop=digest_of(crop_id))
        return RedirectResponse("/labels", 303)

    return [
        Route("/labels", label),
        Route("/labels/picture/{crop_id}", picture),
        Route("/labels/answer", answer, methods=["POST"]),
        Route("/labels/undo", undo, methods=["POST"]),
        *deletion_view.routes(store, journal),
    ]
