"""The page of models on a real Redis, with the rights of the desk's user, and workers that beat."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskgate.inference.model import Model
from maskgate.models.records import read
from maskgate.operations.secrets import acl
from maskgate.protocol.models import MODELS_KEY
from maskgate.redis_functions import library
from maskgate.runtime.store import connect
from tests.desk_site import Browser, Desk, desk
from tests.model_files import REFERENCE_MODEL, REFERENCE_NAME, TWIN_NAME, twin
from tests.servers.ports import eventually
from tests.servers.redis_server import redis_server
from worker.models.succession import Succession
from worker.store.history_budget import HistoryBudget
from worker.store.pair_counts import Pairs
from worker.store.redis_store import RedisVerdictStore

_PASSWORDS = {"admin": "a", "worker": "w", "desk": "k"}
CHAMPION, CHALLENGER = REFERENCE_NAME, TWIN_NAME


class Workers:
    """Two workers' heartbeats in a thread."""

    def __init__(self, url: str, folder: Path) -> None:
        self.client = connect(url, None, name="test", timeout_s=5)
        models = Model.load(REFERENCE_MODEL), Model.load(twin(folder, sure=True))
        self.stores = [
            RedisVerdictStore(
                self.client,
                model=CHAMPION,
                ttl_ms=3000,
                max_skew_ms=250,
                history=HistoryBudget(100),
                succession=Succession(name, *models, share=0.05),
            )
            for name in ("worker-1", "worker-<b>")
        ]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.beat)

    def beat(self) -> None:
        while not self.stop.wait(0.1):
            for store in self.stores:
                store.heartbeat()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Workers]]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "users.acl").write_text(acl(_PASSWORDS))
    with redis_server(folder / "users.acl", admin_password="a") as server:
        workers = Workers(f"redis://worker:w@127.0.0.1:{server.port}/0", folder)
        workers.thread.start()
        try:
            with desk(f"redis://desk:k@127.0.0.1:{server.port}/0", folder) as page:
                yield page, workers
        finally:
            workers.stop.set()
            workers.thread.join(10)
            workers.client.close()


@pytest.fixture
def place(site: tuple[Desk, Workers]) -> tuple[Desk, Workers]:
    """The site without promotions."""
    _, workers = site
    port = workers.client.connection_pool.connection_kwargs["port"]
    admin = connect(f"redis://admin:a@127.0.0.1:{port}/0", None, name="admin", timeout_s=5)
    with admin:
        library().load(admin)
        for store in workers.stores:
            assert store._succession is not None
            store._succession._known = None
        admin.flushdb()
        eventually(lambda: len(read(admin).workers) == 2, what="two workers")
    return site


def text_of(browser: Browser) -> str:
    answer = browser.get("/models")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


def sha256_of(name: str, workers: Workers) -> str:
    return next(each.sha256 for each in read(workers.client).known if each.name == name)


def journal(page: Desk) -> list[dict[str, object]]:
    return [json.loads(line) for line in page.journal.splitlines()]


def test_a_viewer_sees_everything_and_can_change_nothing(place: tuple[Desk, Workers]) -> None:
    page, workers = place
    samples = [(f"{i:032x}", "mask.uncertain.mask") for i in range(30)]
    pairs = Pairs(samples, {"lobby.mask.mask": 9, "lobby.mask.no_mask": 1})
    workers.stores[0].count_pairs(CHAMPION, CHALLENGER, pairs)
    with page.browser("viewer") as browser:
        text = text_of(browser)
        refused = browser.submit("/models/promote", sha256=sha256_of(CHALLENGER, workers))
        assert refused.status_code == 403
        assert browser.submit("/models/rollback").status_code == 403
    for part in (
        "decides, as the workers are configured. Nobody was promoted.",
        'badge good">better</span> the challenger decides 100.0% rightly',
        "Live crops: 1 of 10 with another outcome",
        "worker-&lt;b&gt;",
    ):
        assert part in text
    assert "<form method" not in text.replace('<form method="post" action="/sign-out"', "")
    assert read(workers.client).generation == 0


def test_an_operator_promotes_and_goes_back_and_the_journal_has_both(
    place: tuple[Desk, Workers],
) -> None:
    page, workers = place
    with page.browser("operator") as browser:
        text = text_of(browser)
        sha256 = sha256_of(CHALLENGER, workers)
        assert f'<input type="hidden" name="sha256" value="{sha256}">' in text
        done = browser.submit("/models/promote", sha256=sha256, generation="0", why="it is better")
        assert (done.status_code, done.headers["location"]) == (303, "/models")
        eventually(lambda: text_of(browser).count(">champion</span>") == 2, what="both follow")
        assert read(workers.client).champion == next(
            each for each in read(workers.client).known if each.name == CHALLENGER
        )
        assert "it is better" in text_of(browser)
        assert browser.submit("/models/rollback", generation="1", why="<i>").status_code == 303
        eventually(lambda: text_of(browser).count(">champion</span>") == 2, what="both follow")
        assert "<i>" not in text_of(browser)
    newest = [line for line in journal(page) if str(line["action"]) in ("promote", "rollback")][-2:]
    assert [(line["who"], line["action"], line["model"], line["why"]) for line in newest] == [
        ("operator", "promote", CHALLENGER, "it is better"),
        ("operator", "rollback", CHAMPION, "<i>"),
    ]


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        ("promote", {"generation": "7"}, "was changed since you loaded this page"),
        ("promote", {}, "was changed since you loaded this page"),
        ("promote", {"generation": "0"}, "names no model"),
        ("promote", {"generation": "0", "sha256": "f" * 64}, "names no model"),
        ("rollback", {"generation": "0"}, "nobody was champion before"),
    ],
)
def test_a_change_that_cannot_be_made_is_explained_and_in_the_journal(
    place: tuple[Desk, Workers], path: str, fields: dict[str, str], reason: str
) -> None:
    page, workers = place
    with page.browser("operator") as browser:
        answer = browser.submit(f"/models/{path}", **fields)
    assert answer.status_code == 409
    assert reason in answer.text
    last = journal(page)[-1]
    assert (last["who"], last["action"]) == ("operator", f"{path}_refused")
    assert reason in str(last["reason"])
    assert read(workers.client).generation == 0


def test_a_form_without_its_token_changes_nothing(place: tuple[Desk, Workers]) -> None:
    page, workers = place
    fields = {"sha256": sha256_of(CHALLENGER, workers), "generation": "0"}
    with page.browser("operator") as browser:
        assert browser.post("/models/promote", data=fields).status_code == 403
        wrong = {**fields, "csrf": "0" * 64}
        assert browser.post("/models/promote", data=wrong).status_code == 403
    assert read(workers.client).generation == 0


def test_a_model_that_a_worker_lacks_needs_force(place: tuple[Desk, Workers]) -> None:
    page, workers = place
    fields = {"sha256": sha256_of(CHALLENGER, workers), "generation": "0", "why": "x"}
    succession = workers.stores[1]._succession
    assert succession is not None
    held, succession.challenger = succession.challenger, None
    try:
        eventually(lambda: len(read(workers.client).challengers) == 1, what="a worker without it")
        eventually(
            lambda: read(workers.client).workers["worker-<b>"].challenger is None, what="its word"
        )
        with page.browser("operator") as browser:
            assert "Not held by worker-&lt;b&gt;" in text_of(browser)
            refused = browser.submit("/models/promote", **fields)
            assert refused.status_code == 409
            assert "is not held by worker-&lt;b&gt;" in refused.text
            assert browser.submit("/models/promote", **fields, force="yes").status_code == 303
            eventually(
                lambda: (
                    (
                        text_of(browser).count(">champion</span>"),
                        text_of(browser).count(">another model</span>"),
                    )
                    == (1, 1)
                ),
                what="one follows",
            )
    finally:
        succession.challenger = held
    assert read(workers.client).generation == 1


def test_a_champion_that_no_promotion_explains_is_an_alarm(place: tuple[Desk, Workers]) -> None:
    page, workers = place
    with page.browser("viewer") as browser:
        forged = {
            "champion": sha256_of(CHALLENGER, workers),
            "champion_name": CHALLENGER,
            "generation": "1",
            "changed_at": "1790000000000",
        }
        for field, value in forged.items():
            workers.client.hset(MODELS_KEY, field, value)
        assert "No promotion explains this" in text_of(browser)
    with page.browser("operator") as browser:
        sha256 = sha256_of(CHAMPION, workers)
        done = browser.submit("/models/promote", sha256=sha256, generation="1", why="put right")
        assert done.status_code == 303
        assert "No promotion explains this" not in text_of(browser)
