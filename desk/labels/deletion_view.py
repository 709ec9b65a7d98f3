"""The page on which an operator deletes crops, and what the journal says of it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from desk.access.requires import form_of, requires, signed_in
from desk.access.roles import Role
from desk.journal import Journal
from desk.labels.deletion import check, delete
from desk.labels.store import LabelStore
from desk.labels.tombstones import Scope, digest_of
from desk.web.pages import page
from maskgate.protocol.errors import ConfigurationError

_SCOPES = {
    Scope.CROP: "One crop, by its id",
    Scope.CAMERA: "All crops of a camera",
    Scope.AGE: "All crops captured so many days ago or more",
}


def routes(store: LabelStore, journal: Journal) -> list[Route]:
    """The routes of the page."""

    @requires(Role.OPERATOR)
    def deletion(request: Request) -> Response:
        return page(
            request, "labels/deletion.html", stored=store.count(), scopes=_SCOPES, done=None
        )

    @requires(Role.OPERATOR)
    def deleting(request: Request) -> Response:
        form = form_of(request)
        scope, value = form.get("scope", ""), form.get("value", "").strip()
        if scope not in tuple(Scope):
            raise HTTPException(400, "delete a crop, a camera or an age")
        try:
            check(Scope(scope), value)
        except ConfigurationError as error:
            raise HTTPException(400, str(error)) from None
        journal.write(signed_in(request).user.name, "crops_deleted", **named(Scope(scope), value))
        done = delete(store, Scope(scope), value)
        return page(
            request, "labels/deletion.html", stored=store.count(), scopes=_SCOPES, done=done
        )

    return [
        Route("/labels/deletion", deletion),
        Route("/labels/delete", deleting, methods=["POST"]),
    ]


def named(scope: Scope, value: str) -> dict[str, str]:
    """What the journal says of a deletion: a crop by its digest, for the id must be gone."""
    return {"scope": scope.value, "value": digest_of(value) if scope is Scope.CROP else value}
