"""A door reads the people in front of its camera, with the rights of the gate's user."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import maskgate.gate.wake_ups
from maskgate.gate import Action, BadIdError, Gate, Visit, together
from maskgate.protocol.errors import MaskgateError, StoreError
from maskgate.protocol.verdict import BadVerdictError, Outcome, history_key, track_key, visits_key
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.servers.ports import eventually
from tests.servers.processes import running
from tests.servers.redis_server import RedisServer, redis_server
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

BARE, MASKED, UNCERTAIN = Outcome.NO_MASK, Outcome.MASK, Outcome.UNCERTAIN


class Camera:
    """Writes crops as a worker does, with the rights of the worker's user."""

    def __init__(self, client: Redis, ttl_ms: int) -> None:
        self._store = RedisVerdictStore(
            client, model="m", ttl_ms=ttl_ms, max_skew_ms=250, history=HistoryBudget(100)
        )
        self._numbers = count(1)

    def sees(self, track: str, outcome: Outcome, times: int = 1, *, ago_ms: int = 0) -> None:
        """Crops of a track, 200 ms apart; the last of them so long ago."""
        last_ms = now_ms() - ago_ms
        for left in reversed(range(times)):
            crop_id = f"{next(self._numbers):032x}"
            write(self._store, [live_result(crop_id, last_ms - 200 * left, outcome, track=track)])


@pytest.fixture
def worker(guarded: RedisServer, admin: Redis) -> Iterator[Redis]:
    url = f"redis://worker@127.0.0.1:{guarded.port}/0"
    with connect(url, "w", name="test", timeout_s=2) as client:
        yield client


@pytest.fixture
def camera(worker: Redis) -> Camera:
    return Camera(worker, ttl_ms=600_000)


def actions(visits: tuple[Visit, ...]) -> dict[str, Action]:
    return {visit.track: visit.action for visit in visits}


def until(
    looks: Iterator[tuple[Visit, ...]], wanted: dict[str, Action], within_s: float = 10
) -> tuple[Visit, ...]:
    """The first visits with these actions; needs an iterator that yields now and then."""
    deadline_s = time.monotonic() + within_s
    for visits in looks:
        if actions(visits) == wanted:
            return visits
        assert time.monotonic() < deadline_s, visits
    raise AssertionError


def test_two_people_are_decided_one_by_one_and_one_takes_the_mask_off(
    gate: Gate, camera: Camera
) -> None:
    with closing(gate.visits("lobby", every_s=0.1)) as looks:
        assert next(looks) == ()
        camera.sees("masked", MASKED, 3, ago_ms=5000)
        camera.sees("bare", BARE, 2, ago_ms=4500)
        both = until(looks, {"masked": Action.REMOVE_MASK, "bare": Action.RECOGNISE})
        assert [visit.track for visit in both] == ["masked", "bare"], "who came first is first"
        assert together(both) is Action.REMOVE_MASK is gate.decision("lobby").action
        camera.sees("masked", BARE, 4, ago_ms=2500)
        camera.sees("bare", BARE, 4, ago_ms=2500)
        both = until(looks, {"masked": Action.RECOGNISE, "bare": Action.RECOGNISE})
        assert together(both) is Action.RECOGNISE
        camera.sees("bare", MASKED, ago_ms=2300)
        both = until(looks, {"masked": Action.RECOGNISE, "bare": Action.MANUAL})
        assert together(both) is Action.MANUAL
        camera.sees("bare", MASKED, 3)
        until(looks, {"masked": Action.RECOGNISE, "bare": Action.REMOVE_MASK})


def test_a_single_crop_decides_nothing_and_a_door_may_ask_for_more(
    gate: Gate, camera: Camera
) -> None:
    camera.sees("a", BARE)
    assert actions(gate.visitors("lobby").look()) == {"a": Action.MANUAL}
    assert actions(gate.visitors("lobby", min_crops=1).look()) == {"a": Action.RECOGNISE}
    camera.sees("a", BARE, 2)
    assert actions(gate.visitors("lobby").look()) == {"a": Action.RECOGNISE}
    assert actions(gate.visitors("lobby", min_crops=4).look()) == {"a": Action.MANUAL}
    assert actions(gate.visitors("lobby", min_evidence=5).look()) == {"a": Action.MANUAL}


def test_a_doubtful_crop_does_not_change_the_decision(gate: Gate, camera: Camera) -> None:
    visitors = gate.visitors("lobby")
    camera.sees("a", BARE, 6, ago_ms=2000)
    assert actions(visitors.look()) == {"a": Action.RECOGNISE}
    decided_since_ms = visitors.look()[0].decided_since_ms
    camera.sees("a", UNCERTAIN, ago_ms=1800)
    (held,) = visitors.look()
    assert (held.action, held.decided_since_ms) == (Action.RECOGNISE, decided_since_ms)
    assert actions(gate.visitors("lobby").look()) == {"a": Action.MANUAL}, "nothing to hold"
    camera.sees("a", UNCERTAIN, 6, ago_ms=600)
    assert actions(visitors.look()) == {"a": Action.MANUAL}


def test_the_first_crop_and_not_the_first_look_begins_a_visit(gate: Gate, camera: Camera) -> None:
    camera.sees("a", BARE, 30)
    (visit,) = gate.visitors("lobby").look()
    assert visit.verdict.captured_at_ms - visit.since_ms == 29 * 200
    assert visit.crops == 16


def test_the_last_person_leaves_when_the_verdict_expires(gate: Gate, worker: Redis) -> None:
    Camera(worker, ttl_ms=400).sees("a", BARE)
    looks = gate.visits("lobby")
    assert set(actions(next(looks))) == {"a"}
    assert next(looks) == ()


def test_nothing_is_yielded_twice_unless_asked_for(gate: Gate, camera: Camera) -> None:
    camera.sees("a", BARE, 2)
    looks, seen = gate.visits("lobby"), threading.Event()
    assert next(looks)

    def somebody_comes() -> None:
        seen.set()
        camera.sees("b", BARE)

    later = threading.Timer(0.5, somebody_comes)
    later.start()
    assert set(actions(next(looks))) == {"a", "b"}
    assert seen.is_set(), "a look without news was yielded"
    later.join()
    again = gate.visits("lobby", every_s=0)
    assert actions(next(again)) == actions(next(again))


def test_a_wake_up_alone_yields_the_new_visit(
    gate: Gate, camera: Camera, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maskgate.gate.wake_ups, "LOOK_AGAIN_S", 60)
    looks = gate.visits("lobby")
    assert next(looks) == ()
    subscribers: Any = admin.pubsub_numsub(history_key("lobby"))
    assert subscribers[0][1] == 1
    camera.sees("a", BARE)
    assert set(actions(next(looks))) == {"a"}


def test_forty_people_are_read_as_thirty_two(gate: Gate, camera: Camera) -> None:
    for i in range(40):
        camera.sees(f"t{i}", BARE)
    assert len(gate.visitors("lobby").look()) == 32


def test_a_source_that_does_not_track_has_no_visits(gate: Gate, worker: Redis) -> None:
    store = RedisVerdictStore(
        worker, model="m", ttl_ms=9000, max_skew_ms=250, history=HistoryBudget(9)
    )
    write(store, [live_result("c", now_ms(), BARE, track="c")])
    assert gate.latest("lobby") is not None
    assert gate.visitors("lobby").look() == ()


@pytest.mark.parametrize("damage", ["score", "track", "type", "hash", "other track"])
def test_what_is_no_index_and_no_verdict_is_an_error(
    damage: str, gate: Gate, camera: Camera, admin: Redis
) -> None:
    camera.sees("a", BARE, 2)
    visitors = gate.visitors("lobby")
    assert visitors.look()
    if damage == "score":
        admin.zadd(visits_key("lobby"), {"b": float("inf")})
    elif damage == "track":
        admin.zadd(visits_key("lobby"), {"b}\n": 1})
    elif damage == "type":
        admin.set(visits_key("lobby"), "in the way")
    elif damage == "hash":
        admin.hset(track_key("lobby", "a"), "outcome", "bare")
    else:
        admin.hset(track_key("lobby", "a"), "track_id", "b")
    with pytest.raises(StoreError if damage == "type" else BadVerdictError):
        visitors.look()


def test_a_redis_that_stops_ends_the_visits_with_an_error() -> None:
    with redis_server() as server, Gate(server.url, timeout_s=2) as gate:
        looks = gate.visits("lobby")
        assert next(looks) == ()
        server.stop()
        with pytest.raises(StoreError):
            next(looks)
        server.start()
        eventually(lambda: next(gate.visits("lobby")) == (), what="visits of a new Redis")


def test_a_bad_camera_id_is_refused_before_anything_is_read(gate: Gate) -> None:
    with pytest.raises(BadIdError):
        gate.visits("a:b")
    with pytest.raises(MaskgateError):
        gate.visitors("a}b")


def test_watch_shows_each_person(redis: RedisServer, client: Redis, tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    camera = Camera(client, ttl_ms=1500)
    environment = {"MASKGATE_REDIS_URL": redis.url}
    with running("maskgate", "watch", "--interval-s", "0.2", environment=environment, log=log):

        def shows(*lines: str) -> bool:
            camera.sees("a", BARE)
            camera.sees("b", MASKED)
            return all(line in log.read_text() for line in lines)

        eventually(
            lambda: shows("lobby/a recognise (no mask)", "lobby/b remove_mask (mask)"),
            what="both people",
        )
        eventually(lambda: "lobby/a left, was recognise" in log.read_text(), what="who left")
