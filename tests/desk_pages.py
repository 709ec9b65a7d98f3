"""Some views of the desk, served in this process to somebody who is signed in.

The whole desk as a process is ``tests/desk_site.py``.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.routing import Route

from desk.access.access import Access
from desk.access.identity import Proxy
from desk.access.passwords import Passwords
from desk.access.roles import Role
from desk.access.sessions import Sessions
from desk.access.users import Users
from desk.app import create
from desk.journal import FILE_NAME, Journal
from desk.server import bound
from desk.web.streams import Streams
from desk.web.view import View

_HEADER = "X-User"


class Browser(httpx.Client):
    """Signed in through a proxy's header."""

    def __init__(self, port: int) -> None:
        headers = {_HEADER: "ann", "Accept": "text/html"}
        super().__init__(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10, trust_env=False
        )

    def page(self, path: str) -> str:
        """The page of a path."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def token(self, path: str) -> str:
        """The token of the forms of a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.page(path))
        assert found
        return found[1]


@contextmanager
def served(folder: Path, routes: Sequence[Route], role: Role) -> Iterator[Browser]:
    """The routes, to a browser of somebody with this role; ``folder`` gets the users' file."""
    users_file = folder / "users"
    users_file.write_text(f"ann {role.label} -\n")
    users_file.chmod(0o600)
    users = Users(users_file)
    sessions = Sessions(users, idle_s=60, lifetime_s=60)
    proxy = Proxy("127.0.0.1", _HEADER)
    access = Access(users, sessions, journal_in(folder), Passwords(users), proxy)
    view = View("View", routes[0].path, Role.VIEWER, routes)
    app = create([view], access, streams=Streams(sessions))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    listening = bound("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with Browser(listening.getsockname()[1]) as browser:
            yield browser
    finally:
        server.should_exit = True
        thread.join(10)


def journal_in(folder: Path) -> Journal:
    """The journal of a folder."""
    return Journal(folder / FILE_NAME)


def text_of(html: str) -> str:
    """The words of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())
