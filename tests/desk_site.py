"""The desk as a real process, with users whose passwords are cheap to check, and a browser's side.

with desk(redis.url, folder) as site, site.browser("viewer") as browser:
    browser.get("/doors")
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from argon2 import PasswordHasher

from tests.servers.ports import eventually
from tests.servers.processes import running

ROLES = ("viewer", "labeller", "operator")
PASSWORD = "correct horse battery staple"
#: The least work that Argon2 can be told to do.
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_FORM_TOKEN = re.compile(_TOKEN.pattern + r'>\n<input type="hidden" name="next"')
_PAGE = {"Accept": "text/html"}


class Browser(httpx.Client):
    """Keeps cookies; knows the token of the page that it loaded last."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, headers=_PAGE, timeout=10, trust_env=False)

    def token(self, path: str = "/") -> str:
        """The token in the form of a page."""
        page = self.get(path, follow_redirects=True)
        found = _TOKEN.search(page.text)
        assert found, page.text
        return found[1]

    def submit(self, path: str, page: str | None = None, **fields: str) -> httpx.Response:
        """Send a form with the token of ``page``, by default any page."""
        return self.post(path, data={"csrf": self.token(page or "/"), **fields})

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Send the sign-in form."""
        return self.sign_in_with(self.get("/sign-in"), name, password)

    def sign_in_with(
        self, form: httpx.Response, name: str, password: str = PASSWORD, to: str = "/"
    ) -> httpx.Response:
        """Send a sign-in form that was loaded before."""
        found = _FORM_TOKEN.search(form.text)
        assert found, form.text
        fields = {"csrf": found[1], "name": name, "password": password, "next": to}
        return self.post("/sign-in", data=fields)


@dataclass
class Desk:
    """A running desk."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    @property
    def log(self) -> Path:
        return self.folder / "desk.log"

    @property
    def journal(self) -> str:
        return (self.folder / "journal.jsonl").read_text()

    @contextmanager
    def browser(self, role: str | None = None) -> Iterator[Browser]:
        """A browser, signed in as the user that is called like this role; None: signed out."""
        with Browser(self.url) as browser:
            if role is not None:
                assert browser.sign_in(role).status_code == 303
            yield browser

    def users(self, *lines: str) -> None:
        """Replace the users file; the usual users stay."""
        write_users(self.folder / "users", *lines)


def write_users(path: Path, *more: str) -> None:
    """A users file with one user for each role, called like it."""
    lines = [f"{role} {role} {_HASH}" for role in ROLES]
    new = path.with_suffix(".new")
    new.write_text("\n".join([*lines, *more]) + "\n")
    new.chmod(0o600)
    new.replace(path)


@contextmanager
def desk(
    redis_url: str, folder: Path, settings: Mapping[str, str] | None = None, *, users: bool = True
) -> Iterator[Desk]:
    """Run ``python -m desk`` on a free port; ``folder`` has its users, journal and log."""
    log = folder / "desk.log"
    if users and not (folder / "users").exists():
        write_users(folder / "users")
    environment = {
        "MASKGATE_REDIS_URL": redis_url,
        "MASKGATE_DESK_STATE_DIR": str(folder),
        "MASKGATE_DESK_PORT": "0",
        "MASKGATE_LOG_JSON": "true",
        **(settings or {}),
    }
    with running("desk", environment=environment, log=log) as process:

        def address() -> str:
            assert process.poll() is None, log.read_text()
            found = re.search(r"^http://\S+$", log.read_text(), re.MULTILINE)
            return found[0] if found else ""

        yield Desk(eventually(address, 20, f"the address in {log}"), folder, process)
