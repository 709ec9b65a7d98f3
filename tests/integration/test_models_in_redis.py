"""Promotions and paired counts in a real Redis, with the rights of an installation."""

import getpass
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError
from structlog.testing import capture_logs

from maskgate.inference.model import Model
from maskgate.models import commands
from maskgate.models.promotion import PromotionError, find, promote, rollback, wait_until_served
from maskgate.models.records import pair_counts, promotions, read
from maskgate.models.report import report
from maskgate.operations.secrets import acl
from maskgate.protocol.errors import StoreError
from maskgate.protocol.models import (
    HISTORY_KEY,
    MODELS_KEY,
    WORKERS_KEY,
    BadModelRecordError,
    ModelId,
)
from maskgate.protocol.verdict import Outcome, history_key, track_key
from maskgate.redis_functions import library
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.model_files import REFERENCE_MODEL, REFERENCE_NAME, TWIN_NAME, twin
from tests.servers.redis_server import RedisServer, redis_server
from worker.models.succession import Succession
from worker.store.history_budget import HistoryBudget
from worker.store.pair_counts import Pairs
from worker.store.redis_store import RedisVerdictStore

_PASSWORDS = {"admin": "a", "worker": "w", "gate": "g", "desk": "k"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    users = tmp_path_factory.mktemp("acl") / "users.acl"
    users.write_text(acl(_PASSWORDS))
    with redis_server(users, admin_password="a") as started:
        yield started


def login(server: RedisServer, user: str) -> Redis:
    url = f"redis://{user}@127.0.0.1:{server.port}/0"
    return connect(url, _PASSWORDS[user], name="test", timeout_s=5)


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Redis]:
    with login(server, "admin") as client:
        client.flushall()
        library().load(client)
        yield client


@pytest.fixture
def desk(server: RedisServer, admin: Redis) -> Iterator[Redis]:
    with login(server, "desk") as client:
        yield client


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Model]:
    return Model.load(REFERENCE_MODEL), Model.load(twin(tmp_path_factory.mktemp("m"), sure=True))


class Replica:
    """What a worker is for Redis: a store with the worker's rights, and its models."""

    def __init__(
        self, server: RedisServer, name: str, champion: Model, other: Model | None
    ) -> None:
        self.succession = Succession(name, champion, other, share=0.1)
        self.client = login(server, "worker")
        self.store = RedisVerdictStore(
            self.client,
            model=champion.card.name,
            ttl_ms=600_000,
            max_skew_ms=250,
            history=HistoryBudget(1000),
            succession=self.succession,
        )
        self.succession.changed.append(self.store.serve)

    @property
    def serves(self) -> Model:
        return self.succession.champion


@pytest.fixture
def replicas(
    server: RedisServer, admin: Redis, models: tuple[Model, Model]
) -> Iterator[list[Replica]]:
    found = [Replica(server, f"worker-{i}", *models) for i in range(3)]
    for each in found:
        each.store.heartbeat()
    yield found
    for each in found:
        each.client.close()


def beat(replicas: list[Replica]) -> None:
    for each in replicas:
        each.store.heartbeat()


def known(model: Model) -> ModelId:
    return ModelId(model.card.name, model.sha256)


def test_workers_say_what_they_hold_and_the_silent_are_forgotten(
    replicas: list[Replica], models: tuple[Model, Model], admin: Redis, desk: Redis
) -> None:
    found = read(desk)
    assert list(found.workers) == ["worker-0", "worker-1", "worker-2"]
    assert {each.champion for each in found.workers.values()} == {known(models[0])}
    assert (found.champion, found.challengers) == (known(models[0]), [known(models[1])])
    silent = json.loads(str(admin.hget(WORKERS_KEY, "worker-1")))
    admin.hset(WORKERS_KEY, "worker-1", json.dumps({**silent, "seen_at": now_ms() - 6000}))
    admin.hset(WORKERS_KEY, "worker-2", "no JSON")
    assert list(read(desk).workers) == ["worker-0"]
    replicas[0].store.heartbeat()
    assert admin.hkeys(WORKERS_KEY) == ["worker-0"]


def test_a_promotion_reaches_every_worker_with_its_next_heartbeat_and_so_does_a_rollback(
    replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    seen = read(desk)
    assert promote(desk, seen, find(seen, models[1].card.name), by="eve", why="it is better") == 1
    assert wait_until_served(desk, known(models[1]), 0) == list(read(desk).workers)
    beat(replicas)
    assert {each.serves for each in replicas} == {models[1]}
    beat(replicas)
    assert wait_until_served(desk, known(models[1]), 0) == []
    assert rollback(desk, read(desk), by="bob") == (known(models[0]), 2)
    beat(replicas)
    assert {each.serves for each in replicas} == {models[0]}
    newest, oldest = promotions(desk)
    assert (oldest.action, oldest.by, oldest.why, oldest.generation) == (
        "promote",
        "eve",
        "it is better",
        1,
    )
    assert (newest.action, newest.champion, newest.previous_name) == (
        "rollback",
        models[0].sha256,
        models[1].card.name,
    )


def test_of_many_operators_at_once_one_wins(
    server: RedisServer, replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    seen, start, ends = read(desk), threading.Barrier(8), list[str]()

    def operate(number: int) -> None:
        with login(server, "desk") as client:
            client.ping()
            start.wait(10)
            try:
                promote(client, seen, known(models[1]), by=str(number))
                ends.append("won")
            except PromotionError as error:
                ends.append(str(error))

    threads = [threading.Thread(target=operate, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert ends.count("won") == 1
    assert sum("was changed meanwhile (generation 1)" in end for end in ends) == 7
    assert len(promotions(desk)) == 1


def test_a_model_that_a_running_worker_lacks_is_promoted_only_by_force(
    server: RedisServer, replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    old = Replica(server, "worker-old", models[0], None)
    old.store.heartbeat()
    with pytest.raises(PromotionError, match=f"{TWIN_NAME} is not held by worker-old"):
        promote(desk, read(desk), known(models[1]), by="eve")
    beat(replicas)
    assert {each.serves for each in replicas} == {models[0]}
    promote(desk, read(desk), known(models[1]), by="eve", forced=True)
    with capture_logs() as lines:
        beat([*replicas, old])
        beat([*replicas, old])
    assert {each.serves for each in replicas} == {models[1]}
    assert old.serves is models[0]
    assert [line["event"] for line in lines].count("models.promoted_not_held") == 1
    assert read(desk).not_serving(known(models[1])) == ["worker-old"]
    assert promotions(desk)[0].forced
    old.client.close()


def test_nothing_is_promoted_where_nobody_works_or_what_is_champion_already(
    replicas: list[Replica], models: tuple[Model, Model], admin: Redis, desk: Redis
) -> None:
    seen = read(desk)
    admin.delete(WORKERS_KEY)
    with pytest.raises(PromotionError, match="no worker is running"):
        promote(desk, seen, known(models[1]), by="eve")
    beat(replicas)
    promote(desk, seen, known(models[1]), by="eve")
    with pytest.raises(PromotionError, match="is champion already"):
        promote(desk, read(desk), known(models[1]), by="eve")
    with pytest.raises(PromotionError, match=f"'x' names no model; known: {REFERENCE_NAME}"):
        find(read(desk), "x")


def test_the_model_that_decides_may_be_promoted_so_that_configuration_no_longer_counts(
    server: RedisServer, replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    assert promote(desk, read(desk), known(models[0]), by="eve") == 1
    turned = Replica(server, "worker-new", models[1], models[0])
    turned.store.heartbeat()
    assert turned.serves is models[0]
    assert read(desk).previous is None
    with pytest.raises(PromotionError, match="nobody was champion before"):
        rollback(desk, read(desk), by="eve")
    turned.client.close()


def test_a_rollback_needs_somebody_to_go_back_to(replicas: list[Replica], desk: Redis) -> None:
    with pytest.raises(PromotionError, match="nobody was champion before"):
        rollback(desk, read(desk), by="eve")


def test_after_a_flush_a_running_worker_restores_the_champion_and_a_new_one_follows_it(
    server: RedisServer,
    replicas: list[Replica],
    models: tuple[Model, Model],
    admin: Redis,
    desk: Redis,
) -> None:
    promote(desk, read(desk), known(models[1]), by="eve")
    beat(replicas)
    admin.flushall()
    late = Replica(server, "worker-late", *models)
    late.store.heartbeat()
    assert late.serves is models[0], "nobody could tell it"
    replicas[2].store.heartbeat()
    late.store.heartbeat()
    assert late.serves is models[1]
    reign = read(desk).reign
    assert reign is not None
    assert (reign.generation, reign.champion, reign.restored_by) == (
        1,
        models[1].sha256,
        "worker-2",
    )
    beat(replicas)
    assert {each.serves for each in replicas} == {models[1]}
    late.client.close()


def test_the_highest_generation_wins_over_what_a_worker_remembers(
    replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    promote(desk, read(desk), known(models[1]), by="eve")
    beat(replicas[:2])
    rollback(desk, read(desk), by="eve")
    beat(replicas)
    beat(replicas)
    assert {each.serves for each in replicas} == {models[0]}
    assert read(desk).generation == 2


def test_damage_to_the_champions_hash_is_mended_by_who_knows(
    replicas: list[Replica], models: tuple[Model, Model], admin: Redis, desk: Redis
) -> None:
    promote(desk, read(desk), known(models[1]), by="eve")
    beat(replicas)
    admin.delete(MODELS_KEY)
    admin.set(MODELS_KEY, "in the way")
    beat(replicas)
    reign = read(desk).reign
    assert reign is not None
    assert reign.champion == models[1].sha256
    admin.hset(MODELS_KEY, "champion", "x")
    with pytest.raises(BadModelRecordError, match="models holds no champion"):
        read(desk)
    beat(replicas)
    assert read(desk).champion == known(models[1])
    assert {each.serves for each in replicas} == {models[1]}


def test_a_worker_may_restore_but_neither_promote_nor_write_the_history(
    server: RedisServer, replicas: list[Replica], models: tuple[Model, Model], desk: Redis
) -> None:
    worker = replicas[0].client
    with pytest.raises(StoreError, match=r"(?i)no permissions to access"):
        promote(worker, read(desk), known(models[1]), by="mallory")
    with pytest.raises(NoPermissionError):
        worker.xadd(HISTORY_KEY, {"action": "promote"})
    with login(server, "gate") as gate, pytest.raises(NoPermissionError):
        gate.hset(MODELS_KEY, "champion", models[1].sha256)
    assert read(desk).reign is None


def test_an_older_acl_stops_no_verdict(
    replicas: list[Replica], models: tuple[Model, Model], admin: Any
) -> None:
    """Redis's users are updated after the workers: the site goes on."""
    admin.execute_command("ACL", "SETUSER", "worker", "resetkeys", "~verdict*", "~worker:alive")
    admin.execute_command("ACL", "SETUSER", "worker", "~tracks:*", "~visits:*")
    fresh = replicas[0]
    fresh.succession.is_settled = False
    try:
        with capture_logs() as lines:
            fresh.store.heartbeat()
            fresh.store.heartbeat()
        assert [line["event"] for line in lines] == ["models.not_followed"]
        assert (fresh.succession.is_settled, fresh.serves) == (True, models[0])
        write(fresh.store, [live_result("a" * 32, now_ms())])
    finally:
        rights = dict(line.split(" ", 2)[1:] for line in acl(_PASSWORDS).splitlines())
        admin.execute_command("ACL", "SETUSER", "worker", "reset", *rights["worker"].split())


def test_pairs_are_counted_once_a_sample_and_by_camera(
    replicas: list[Replica], desk: Redis
) -> None:
    samples = [("a" * 32, "mask.mask.no_mask"), ("b" * 32, "mask.mask.mask")]
    for each in replicas:
        each.store.count_pairs("m", "n", Pairs(samples, {"lobby.mask.mask": 2}))
    audit, live = pair_counts(desk, "m", "n")
    assert audit == {"mask.mask.no_mask": 1, "mask.mask.mask": 1}
    assert live == {"lobby.mask.mask": 6}
    assert pair_counts(desk, "n", "m") == ({}, {})


def test_a_crop_that_is_delivered_again_after_a_promotion_keeps_its_verdict(
    replicas: list[Replica], models: tuple[Model, Model], admin: Any, desk: Redis
) -> None:
    first, second, _ = replicas
    at_ms = now_ms()
    write(first.store, [live_result("a" * 32, at_ms, p_mask=0.2, outcome=Outcome.NO_MASK)])
    before = admin.hgetall(track_key("lobby", "t"))
    promote(desk, read(desk), known(models[1]), by="eve")
    second.store.heartbeat()
    write(second.store, [live_result("a" * 32, at_ms, p_mask=0.9)])
    assert admin.hgetall(track_key("lobby", "t")) == before
    assert before["model"] == models[0].card.name
    write(second.store, [live_result("b" * 32, at_ms + 1, p_mask=0.9)])
    assert admin.hget(track_key("lobby", "t"), "model") == models[1].card.name


def test_the_report_says_which_model_decided_when(
    replicas: list[Replica], models: tuple[Model, Model], admin: Redis, desk: Redis
) -> None:
    first, second, _ = replicas
    begun_ms = now_ms()
    for number in range(3):
        write(first.store, [live_result(f"{number:032x}", now_ms() - 5)])
    promote(desk, read(desk), known(models[1]), by="eve")
    second.store.heartbeat()
    write(second.store, [live_result("f" * 32, now_ms())])
    write(first.store, [live_result("e" * 32, now_ms())])  # it has not heard of it yet
    first.store.heartbeat()
    write(first.store, [live_result("d" * 32, now_ms())])
    write(first.store, [live_result("c" * 32, None, Outcome.UNREADABLE)])
    found = report(desk, "lobby", begun_ms - 1000, now_ms())
    assert [(span.model, span.verdicts) for span in found.spans] == [
        (models[0].card.name, 4),
        (models[1].card.name, 2),
    ]
    assert found.spans[0].to_ms >= found.spans[1].from_ms - 1
    assert found.begins_ms is not None
    assert report(desk, "lobby", 0, begun_ms - 1000).spans == []
    assert report(desk, "nowhere", 0, now_ms()).begins_ms is None


def test_a_model_that_comes_back_has_a_span_of_its_own(admin: Any, desk: Redis) -> None:
    at = {"a": (1000, 2000), "b": (3000, 9000), "a ": (9500, 20_000)}
    for name, times in at.items():
        for at_ms in times:
            fields = {"outcome": "mask", "model": name.strip(), "decided_at": str(at_ms)}
            fields |= {"crop_id": "c", "track_id": "t", "p_mask": "", "captured_at": ""}
            admin.xadd(history_key("lobby"), fields | {"reason": ""}, id=f"{at_ms}-1")
    found = report(desk, "lobby", 0, 30_000)
    assert [(span.model, span.from_ms, span.to_ms) for span in found.spans] == [
        ("a", 1000, 2000),
        ("b", 3000, 9000),
        ("a", 9500, 20_000),
    ]


@pytest.fixture
def told(
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., tuple[int, str]]:
    """Runs ``maskgate models`` as the desk; returns the exit code and what it prints."""
    (tmp_path / "password").write_text("k")
    monkeypatch.setenv("MASKGATE_REDIS_URL", f"redis://desk@127.0.0.1:{server.port}/0")
    monkeypatch.setenv("MASKGATE_REDIS_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setattr("maskgate.models.promotion.SWAP_S", 0.1)

    def run(*arguments: str) -> tuple[int, str]:
        code = commands.main(["models", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_list_shows_champion_workers_and_the_comparison(
    told: Callable[..., tuple[int, str]], replicas: list[Replica]
) -> None:
    pairs = Pairs([("a" * 32, "mask.mask.mask")], {"lobby.mask.no_mask": 2})
    replicas[0].store.count_pairs(REFERENCE_NAME, TWIN_NAME, pairs)
    code, text = told("list")
    assert code == 0
    assert text.startswith(f"champion: {REFERENCE_NAME} (")
    assert "as configured: nobody was promoted" in text
    assert f"worker-1: serves {REFERENCE_NAME}" in text
    assert f"compares {TWIN_NAME}" in text
    assert "not shown: the challenger decides 100.0% rightly, the champion 100.0%" in text
    assert "lobby: 2 of 2, 2 mask against no mask" in text


@pytest.mark.usefixtures("replicas")
def test_promote_does_not_claim_that_workers_follow_if_they_do_not(
    told: Callable[..., tuple[int, str]],
) -> None:
    assert told("history") == (0, "")
    code, text = told("promote", TWIN_NAME, "--by", "eve", "--why", "it is better")
    assert code == 70  # nobody beats
    assert "these workers serve another model: worker-0, worker-1, worker-2" in text
    code, text = told("history")
    assert code == 0
    assert f"promote   {TWIN_NAME}" in text
    assert text.endswith("by eve: it is better\n")
    assert told("rollback", "--by", "bob")[0] == 0, "they serve it still"
    assert told("promote", "nothing")[0] == 70


@pytest.mark.usefixtures("replicas")
@pytest.mark.parametrize("trouble", [KeyError, OSError])
def test_where_nobody_has_a_login_name_who_promotes_must_say_who_they_are(
    told: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    trouble: type[Exception],
) -> None:
    def nobody() -> str:
        raise trouble

    monkeypatch.setattr(getpass, "getuser", nobody)
    for asked in (["promote", TWIN_NAME], ["rollback"]):
        code, text = told(*asked)
        assert code == 78
        assert "--by NAME" in text
    assert told("history") == (0, "")


def test_the_report_of_a_camera_for_people(
    told: Callable[..., tuple[int, str]], replicas: list[Replica]
) -> None:
    write(replicas[0].store, [live_result("a" * 32, now_ms())])
    code, text = told("report", "--camera", "lobby", "--from", "2026-01-01", "--to", "2100-01-01")
    assert code == 0
    assert text.startswith("the history of lobby begins 20")
    assert text.endswith(f"  {REFERENCE_NAME}  1 verdicts\n")
    assert told("report", "--camera", "a:b") == (
        78,
        "error: --camera: 'a:b' is not 1 to 64 of A-Z a-z 0-9 _ -\n",
    )
