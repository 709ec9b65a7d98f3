"""The view of the journal, for operators: who did what when, newest first."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from desk.access.requires import requires
from desk.access.roles import Role
from desk.journal import Journal
from desk.web.pages import page

_SHOWN = 200
_COLUMNS = ("at", "who", "action")


def routes(journal: Journal) -> list[Route]:
    """The routes of the view."""

    @requires(Role.OPERATOR)
    def newest(request: Request) -> Response:
        lines = [
            {
                **{name: str(line.get(name, "")) for name in _COLUMNS},
                "facts": {name: value for name, value in line.items() if name not in _COLUMNS},
            }
            for line in journal.newest(_SHOWN)
        ]
        return page(request, "web/journal.html", lines=lines, shown=_SHOWN)

    return [Route("/journal", newest)]
