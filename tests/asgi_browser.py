"""A browser's side of the desk's page inside one process, without a server."""

import asyncio
import re
from collections.abc import Mapping

import httpx
from starlette.applications import Starlette

#: The address that requests seem to come from.
ADDRESS = "127.0.0.1"
_TOKEN = re.compile(r'data-csrf="([0-9a-f]+)"')


class AsgiBrowser:
    """Keeps cookies and follows redirections. ``headers`` go with each request."""

    def __init__(self, app: Starlette, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = {"Accept": "text/html", **headers}
        self._cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        return self._send("GET", path)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self._send("POST", path, form)

    def token(self, page: str) -> str:
        """The token of whoever is signed in; empty for nobody."""
        found = _TOKEN.search(self.get(page).text)
        return found[1] if found else ""

    def submit(self, page: str, path: str, **form: str) -> httpx.Response:
        """Send a form with the token of a page."""
        return self.post(path, csrf=self.token(page), **form)

    def _send(
        self, method: str, path: str, form: Mapping[str, str] | None = None
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, client=(ADDRESS, 1234))
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://desk",
                headers=self._headers,
                cookies=self._cookies,
                follow_redirects=True,
            ) as client:
                answered = await client.request(method, path, data=form)
                self._cookies.update(client.cookies)
                return answered

        return asyncio.run(send())
