"""What a person reads when something went wrong; the log has the rest."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from desk.web.headers import secure
from desk.web.pages import page
from maskgate.protocol.errors import MaskgateError

log = structlog.get_logger()


def handlers(*, https: bool) -> dict[Any, Callable[..., Response]]:
    """Starlette's exception handlers."""

    def on_bug(request: Request, error: Exception) -> Response:
        log.error("desk.error", path=request.url.path, exc_info=error)
        response = _answer(request, 500, "Something is wrong with this page. The log says what.")
        # This answer is made outside of the middleware.
        secure(MutableHeaders(raw=response.raw_headers), https=https)
        return response

    return {HTTPException: on_http_error, MaskgateError: _on_trouble, Exception: on_bug}


def on_http_error(request: Request, error: HTTPException) -> Response:
    """The answer to a request that can't be served; who must sign in is led there."""
    if error.status_code == 401 and request.method == "GET" and _wants_page(request):
        return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
    response = _answer(request, error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def _on_trouble(request: Request, error: MaskgateError) -> Response:
    log.warning("desk.trouble", path=request.url.path, error=str(error))
    return _answer(request, 503, str(error))


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _answer(request: Request, status: int, detail: str) -> Response:
    if not _wants_page(request):
        return PlainTextResponse(f"{detail}\n", status)
    title = HTTPStatus(status).phrase
    return page(request, "web/error.html", status=status, title=title, detail=detail)
