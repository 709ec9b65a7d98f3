"""The view of the doors in the real process: what a person sees, and how soon."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from redis import Redis

from maskgate.protocol.camera_state import CameraCondition, CameraState, SentState
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from tests.crop_results import live_result, write
from tests.desk_site import Browser, Desk, desk
from tests.servers.ports import eventually
from tests.servers.redis_server import RedisServer, redis_server
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

BARE, MASKED = Outcome.NO_MASK, Outcome.MASK


class Worker:
    """Writes crops and states as a worker does."""

    def __init__(self, redis: RedisServer) -> None:
        self.client = redis.client()
        self._numbers = count(1)
        self._store = RedisVerdictStore(
            self.client, model="mask-7", ttl_ms=600_000, max_skew_ms=250, history=HistoryBudget(100)
        )

    def sees(self, camera: str, outcome: Outcome, track: str = "t", times: int = 3) -> None:
        at_ms = now_ms()
        results = [
            live_result(
                f"{next(self._numbers):032x}", at_ms + number, outcome, camera=camera, track=track
            )
            for number in range(times)
        ]
        with self._store.writing(results):
            pass
        self._store.heartbeat()
        self.client.zadd(CAMERAS_KEY, {camera: at_ms})

    def state(self, camera: str, condition: CameraCondition, detail: str = "") -> None:
        at_ms = now_ms()
        state = CameraState(state=condition, since_ms=at_ms, sent_at_ms=at_ms, detail=detail)
        with self._store.writing([], [SentState(camera, state)]):
            pass


@pytest.fixture(scope="module")
def site(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(shared_redis.url, tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture
def browser(site: Desk) -> Iterator[Browser]:
    with site.browser("viewer") as signed_in:
        yield signed_in


@pytest.fixture
def worker(redis: RedisServer) -> Worker:
    return Worker(redis)


def shows(browser: Browser, path: str, *texts: str) -> str:
    """The page, as soon as it has these texts."""

    def look() -> str:
        page = browser.get(path).text
        return page if all(text in page for text in texts) else ""

    return eventually(look, 10, f"{texts} on {path}")


def test_a_door_is_shown_with_decision_people_camera_and_model(
    browser: Browser, worker: Worker
) -> None:
    worker.sees("lobby", MASKED, "anna")
    worker.sees("lobby", BARE, "berta")
    worker.state("lobby", CameraCondition.OUT_OF_FOCUS, "turn the lens")
    page = shows(
        *(browser, "/doors", 'id="door-lobby"', ">remove mask<", "mask-7"),
        *("2: 1 remove mask, 1 recognise", ">out of focus<", "turn the lens", "workers alive"),
    )
    assert "anna" not in page, "tracks are on the camera's page"


def test_a_change_reaches_a_browser_without_asking_again(browser: Browser, worker: Worker) -> None:
    worker.sees("lobby", BARE, "a")
    shows(browser, "/doors", ">recognise<")
    with browser.stream("GET", "/doors/events", timeout=10) as events:
        news = (json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data:"))
        assert ">recognise<" in next(news)["rows"]["door-lobby"], "first all of it"
        worker.sees("lobby", MASKED, "b")
        for event in news:
            if ">remove mask<" in event.get("rows", {}).get("door-lobby", ""):
                break
        worker.client.zrem(CAMERAS_KEY, "lobby")
        for event in news:
            if event.get("gone") == ["door-lobby"]:
                break


def test_a_cameras_page_has_its_history_with_reasons(browser: Browser, worker: Worker) -> None:
    worker.sees("lobby", BARE, "anna")
    worker.sees("lobby", Outcome.EXPIRED, "anna", times=1)
    page = shows(browser, "/doors/lobby", "anna", ">expired<", ">no mask<", "mask-7", "0.010")
    assert page.index(">expired<") < page.index(">no mask<", page.index("History"))


def test_a_page_has_no_picture_but_its_own_sign(browser: Browser, worker: Worker) -> None:
    worker.sees("lobby", BARE, "anna")
    for path in ("/doors", "/doors/lobby"):
        page = shows(browser, path, "lobby")
        assert page.count("<img") == page.count('<img src="/static/icon.svg"') == 1


def test_a_camera_that_nobody_knows_is_not_found(browser: Browser, worker: Worker) -> None:
    assert browser.get("/doors/attic").status_code == 404


def test_without_workers_and_without_redis_no_door_is_shown_as_open(tmp_path: Path) -> None:
    with redis_server() as redis, desk(redis.url, tmp_path) as site:
        worker = Worker(redis)
        with site.browser("viewer") as browser:
            assert "No worker is running" in shows(browser, "/doors", "No camera is known yet")
            worker.sees("lobby", BARE)
            shows(browser, "/doors", ">recognise<", "workers alive")
            redis.stop()
            page = shows(browser, "/doors", 'id="door-lobby"', "Redis can't be read")
            assert ">recognise<" not in page
            assert ">manual<" in page
            assert browser.get("/doors/lobby").status_code == 503
            redis.start()
            worker.sees("lobby", BARE)
            shows(browser, "/doors", ">recognise<")
    log = (tmp_path / "desk.log").read_text()
    assert log.count('"desk.no_redis"') == 1
    assert log.count('"process": "desk"') == len(log.splitlines()) - 1, "all but the address"
    assert log.count('"desk.redis_is_back"') == 1


def test_the_rights_of_its_user_are_enough(
    guarded: RedisServer, admin: Redis, tmp_path: Path
) -> None:
    store = RedisVerdictStore(
        admin, model="m", ttl_ms=600_000, max_skew_ms=250, history=HistoryBudget(100)
    )
    write(store, [live_result("1" * 32, now_ms(), BARE, track="t")])
    admin.zadd(CAMERAS_KEY, {"lobby": now_ms()})
    url, password = f"redis://desk@127.0.0.1:{guarded.port}/0", {"MASKGATE_REDIS_PASSWORD": "k"}
    with desk(url, tmp_path, password) as site, site.browser("operator") as browser:
        page = shows(browser, "/doors", ">recognise<")
        shows(browser, "/doors/lobby", ">no mask<")
        eventually(lambda: admin.pubsub_numpat() == 1, what="the subscription to wake-ups")
        views = re.findall(r'<li><a href="([^"]+)"', page)
        assert {"/doors", "/journal"} < set(views)
        for view in views:
            assert browser.get(view).status_code == 200, view
    log = (tmp_path / "desk.log").read_text()
    assert "NoPermission" not in log
    assert "Traceback" not in log


def test_it_shows_the_cameras_that_are_configured(redis: RedisServer, tmp_path: Path) -> None:
    Worker(redis).sees("lobby", BARE)
    settings = {"MASKGATE_DESK_CAMERAS": "vault,yard"}
    with desk(redis.url, tmp_path, settings) as site, site.browser("viewer") as browser:
        page = browser.get("/doors").text
        assert 'id="door-vault"' in page
        assert 'id="door-yard"' in page
        assert 'id="door-lobby"' not in page
        assert browser.get("/doors/lobby").status_code == 200, "by its history"
