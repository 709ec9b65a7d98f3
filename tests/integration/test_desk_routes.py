"""Every route of the desk: who reaches it, and with which headers."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from desk.__main__ import application
from desk.access.requires import check_marks, role_of
from desk.access.roles import Role
from desk.settings import DeskSettings
from desk.web.headers import HEADERS
from maskgate.runtime.settings import load
from tests.desk_site import ROLES, Desk, desk, write_users
from tests.servers.ports import eventually
from tests.servers.redis_server import RedisServer

#: What stands in a path for its parameters.
_EXAMPLES = {"{camera}": "lobby"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("desk")
    write_users(made / "users")
    return made


@pytest.fixture(scope="module")
def routes(shared_redis: RedisServer, folder: Path) -> list[Route]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("MASKGATE_DESK_STATE_DIR", str(folder))
        patch.setenv("MASKGATE_REDIS_URL", shared_redis.url)
        app, _ = application(load(DeskSettings, [], "desk"), stack)
        return [route for route in app.routes if isinstance(route, Route)]


@pytest.fixture(scope="module")
def site(shared_redis: RedisServer, folder: Path) -> Iterator[Desk]:
    with desk(shared_redis.url, folder) as running:
        yield running


def path_of(route: Route) -> str:
    path = route.path
    for name, value in _EXAMPLES.items():
        path = path.replace(name, value)
    assert "{" not in path, f"{route.path}: give its parameter a value in _EXAMPLES"
    return path


def test_every_answer_has_the_security_headers(site: Desk, routes: list[Route]) -> None:
    others = ["/static/desk.css", "/static/none", "/nowhere", "/static", "/doors/"]
    with site.browser("operator") as browser, site.browser() as stranger:
        for path in [*map(path_of, routes), *others]:
            for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
                for client in (browser, stranger):
                    with client.stream(method, path) as answer:
                        lacking = HEADERS.items() - {
                            (name, answer.headers.get(name)) for name in HEADERS
                        }
                        assert not lacking, f"{method} {path}: {answer.status_code}"
                        kept = answer.headers["cache-control"]
                        file = path.startswith("/static/")
                        assert kept == ("no-cache" if file else "no-store"), f"{method} {path}"
                        assert "server" not in answer.headers


def test_nobody_reaches_more_than_the_role_allows(site: Desk, routes: list[Route]) -> None:
    guarded = [route for route in routes if role_of(route) is not None]
    assert len(guarded) >= 4
    with ExitStack() as stack:
        stranger = stack.enter_context(site.browser())
        browsers = {role: stack.enter_context(site.browser(role.label)) for role in Role}
        for route in guarded:
            needed = role_of(route)
            method = "POST" if "POST" in (route.methods or ()) else "GET"
            with stranger.stream(method, path_of(route)) as answer:
                assert answer.status_code in (303, 403), route.path
                assert answer.headers.get("location", "/sign-in").startswith("/sign-in")
            for role, browser in browsers.items():
                token = {"csrf": browser.token("/doors")} if method == "POST" else None
                with browser.stream(method, path_of(route), data=token) as answer:
                    forbidden = needed is not None and role < needed
                    assert (answer.status_code == 403) == forbidden, f"{route.path} {role}"


def test_the_navigation_shows_what_the_role_may_see(site: Desk) -> None:
    for role in ROLES:
        with site.browser(role) as browser:
            text = browser.get("/doors").text
            assert 'href="/doors" aria-current="page"' in text
            assert ('href="/journal"' in text) == (role == "operator")


def test_a_handler_without_a_mark_is_refused_at_start() -> None:
    def forgotten(_: Request) -> Response:
        return PlainTextResponse("everybody reads this")

    with pytest.raises(TypeError, match="/forgotten: mark its handler"):
        check_marks([Route("/forgotten", forgotten)])


def test_a_new_site_starts_with_nobody_and_whoever_is_added_gets_in(
    shared_redis: RedisServer, tmp_path: Path
) -> None:
    write_users(tmp_path / "users")
    users = (tmp_path / "users").read_text()
    (tmp_path / "users").unlink()
    with desk(shared_redis.url, tmp_path, users=False) as site:
        assert "desk.nobody" in site.log.read_text()
        with site.browser() as browser:
            assert browser.sign_in("viewer").status_code != 303
            (tmp_path / "users").write_text(users)
            assert browser.sign_in("viewer").status_code == 303


def test_a_bug_in_a_handler_tells_the_log_and_not_the_browser(
    shared_redis: RedisServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKGATE_DESK_STATE_DIR", str(folder))
    monkeypatch.setenv("MASKGATE_REDIS_URL", shared_redis.url)

    def broken(_: Request) -> Response:
        raise RuntimeError("s3cret")  # noqa: EM101

    with ExitStack() as stack:
        app, _ = application(load(DeskSettings, [], "desk"), stack)
        app.router.routes.append(Route("/broken", broken))
        answer = asyncio.run(_asked(app, "/broken"))
    assert answer.status_code == 500
    assert "s3cret" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def _asked(app: Starlette, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        return await client.get(path)


def test_sigterm_ends_it_with_0_beside_open_streams(
    shared_redis: RedisServer, tmp_path: Path
) -> None:
    with (
        desk(shared_redis.url, tmp_path) as site,
        site.browser("viewer") as browser,
        browser.stream("GET", "/doors/events") as events,
    ):
        assert events.status_code == 200
        site.process.terminate()
        eventually(lambda: site.process.poll() is not None, 10, "the end of the desk")
    assert site.process.returncode == 0
    assert '"action": "desk_stopped"' in site.journal
    assert '"desk.stopped"' in site.log.read_text()
