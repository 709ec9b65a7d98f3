"""Pages from templates: ``page(request, "doors/doors.html", doors=…)``.

A template is named by its folder of ``desk/`` and its file: ``doors/doors.html`` is
``desk/doors/templates/doors.html``. It extends ``web/base.html``. All text is escaped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from desk.access.access import Access
from desk.access.identity import who
from desk.doors import words
from desk.web.filters import FILTERS
from desk.web.view import View

_DESK = Path(__file__).parent.parent


def environment() -> Environment:
    """The templates of all folders of the desk."""
    folders = {path.parent.name: path for path in sorted(_DESK.glob("*/templates"))}
    made = Environment(
        loader=PrefixLoader({name: FileSystemLoader(path) for name, path in folders.items()}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= FILTERS | words.FILTERS
    return made


class Pages:
    """Renders templates with what every page shows: who is signed in, and where to go."""

    def __init__(
        self,
        templates: Environment,
        views: Sequence[View],
        access: Access,
        assets: Mapping[str, str],
    ) -> None:
        self.environment = templates
        self._views, self._access, self._assets = views, access, assets

    def render(self, request: Request, template: str, context: dict[str, Any]) -> str:
        """The text of a page."""
        found = who(request)
        role = found.user.role if found else None
        return self.environment.get_template(template).render(
            path=request.url.path,
            user=found.user.name if found else None,
            role=role,
            csrf=self._access.tokens.of(found.session_id) if found else "",
            may_sign_out=self._access.proxy.header is None,
            views=[view for view in self._views if role is not None and role >= view.role],
            assets=self._assets,
            **context,
        )


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The answer with a page. The context must not hold what the user may not see.

    Every template also has ``user``, ``role`` (None before the sign-in), ``csrf`` (the token for
    a form's field of this name), ``views`` and ``path``.
    """
    pages: Pages = request.app.state.pages
    return HTMLResponse(pages.render(request, template, context), status)
