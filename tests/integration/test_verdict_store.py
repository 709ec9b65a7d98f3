import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from maskgate.gate import Action, Gate
from maskgate.protocol.errors import StoreError
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    Outcome,
    attempts_key,
    history_key,
    parse_verdict,
    track_key,
    verdict_key,
)
from maskgate.redis_functions import library
from maskgate.redis_functions.library import loaded
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.servers.redis_server import RedisServer
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import ATTEMPTS_TTL_MS, RedisVerdictStore


@pytest.fixture
def store(client: Redis) -> RedisVerdictStore:
    return RedisVerdictStore(
        client, model="m", ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(100)
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def fields_of(client: Redis, key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in client.hgetall(key).items()}


def crop_ids(client: Redis) -> list[str]:
    entries: Any = client.xrange(history_key("lobby"))
    return [fields["crop_id"] for _, fields in entries]


def standing(client: Redis, key: str = verdict_key("lobby")) -> str | None:
    verdict = parse_verdict(fields_of(client, key))
    return verdict.crop_id if verdict else None


def test_a_verdict_stands_for_camera_and_track_until_its_time_is_over(
    client: Redis, store: RedisVerdictStore
) -> None:
    captured_at_ms = now_ms() - 1000
    write(store, [live_result("a", captured_at_ms)])
    for key in (verdict_key("lobby"), track_key("lobby", "t")):
        assert standing(client, key) == "a"
        assert client.pexpiretime(key) == captured_at_ms + 3000


def test_a_door_learns_the_time_to_live_from_the_verdict(client: Redis, redis: RedisServer) -> None:
    lasting = RedisVerdictStore(
        client, model="m", ttl_ms=60_000, max_skew_ms=250, history=HistoryBudget(9)
    )
    write(lasting, [live_result("a", now_ms() - 20_000)])
    with Gate(redis.url, timeout_s=2) as gate:
        for track in (None, "t"):
            verdict = gate.wait("lobby", track, timeout_s=0)
            assert verdict is not None, "20 s are within 60 s"
            assert verdict.ttl_ms == 60_000
            assert gate.decision("lobby", track).action is Action.REMOVE_MASK


def test_writing_twice_changes_nothing_but_the_history(
    client: Redis, store: RedisVerdictStore
) -> None:
    batch = [live_result("a", now_ms() - 20), live_result("b", now_ms() - 10)]
    write(store, batch)
    before = fields_of(client, track_key("lobby", "t"))
    write(store, batch)
    assert fields_of(client, track_key("lobby", "t")) == before
    assert (before["crops"], before["agreeing"]) == ("2", "2")
    assert sorted(crop_ids(client)) == ["a", "a", "b", "b"]


def test_an_older_crop_goes_to_the_history_alone(client: Redis, store: RedisVerdictStore) -> None:
    now = now_ms()
    write(store, [live_result("new", now)])
    write(store, [live_result("old", now - 5)])
    assert standing(client) == "new"
    assert crop_ids(client) == ["new", "old"]


@pytest.mark.parametrize("away_ms", [-3000, -3_600_000, 1000, 3_600_000])
def test_neither_a_stale_crop_nor_one_from_the_future_becomes_a_verdict(
    away_ms: int, client: Redis, store: RedisVerdictStore
) -> None:
    write(store, [live_result("a", now_ms() + away_ms)])
    assert standing(client) is None
    assert client.xlen(history_key("lobby")) == 1


@pytest.mark.parametrize("outcome", [Outcome.UNREADABLE, Outcome.EXPIRED])
def test_a_crop_without_a_verdict_never_touches_the_key(
    outcome: Outcome, client: Redis, store: RedisVerdictStore
) -> None:
    write(store, [live_result("good", now_ms() - 5), live_result("bad", now_ms(), outcome)])
    assert standing(client) == "good"


def test_a_verdict_counts_the_latest_crops_of_its_track(
    client: Redis, store: RedisVerdictStore
) -> None:
    now = now_ms()
    outcomes = [Outcome.MASK, Outcome.NO_MASK, Outcome.MASK, Outcome.MASK]
    write(store, [live_result(str(i), now - 10 + i, outcome) for i, outcome in enumerate(outcomes)])
    verdict = parse_verdict(fields_of(client, verdict_key("lobby")))
    assert verdict is not None
    assert (verdict.outcome, verdict.crops, verdict.agreeing) == (Outcome.MASK, 4, 3)


@pytest.mark.parametrize("seed", range(10))
def test_how_crops_are_batched_changes_nothing_of_what_stands(
    seed: int, client: Redis, store: RedisVerdictStore
) -> None:
    rng, now = random.Random(seed), now_ms()
    outcomes = [
        Outcome.MASK,
        Outcome.NO_MASK,
        Outcome.UNCERTAIN,
        Outcome.UNREADABLE,
        Outcome.EXPIRED,
    ]
    crops = [
        (f"{i}", now - rng.randrange(300), rng.choice(outcomes), rng.choice(["p", "q", "r", ""]))
        for i in range(40)
    ]
    batched, alone = (
        [
            live_result(crop_id, ms, what, track=track or crop_id, camera=name)
            for crop_id, ms, what, track in crops
        ]
        for name in ("batched", "alone")
    )
    while batched:
        size = rng.randrange(1, 20)
        write(store, batched[:size])
        del batched[:size]
    for one in alone:
        write(store, [one])
    for track in (None, "p", "q", "r"):
        keys = [
            verdict_key(name) if track is None else track_key(name, track)
            for name in ("batched", "alone")
        ]
        standing = [{**fields_of(client, key), "decided_at": "any"} for key in keys]
        assert standing[0] == standing[1]
        assert client.pexpiretime(keys[0]) == client.pexpiretime(keys[1])


def test_a_redis_without_the_functions_is_a_store_error_that_names_the_remedy(
    client: Redis, store: RedisVerdictStore
) -> None:
    client.function_flush()
    try:
        with pytest.raises(StoreError, match="run 'maskgate functions'"):
            write(store, [live_result("a", now_ms() - 5)])
    finally:
        library().load(client)
    write(store, [live_result("a", now_ms() - 5)])
    assert standing(client) == "a"


def test_the_worker_reads_a_library_beside_another_release(
    client: Redis, store: RedisVerdictStore
) -> None:
    other = library().code.replace(library().name, "maskgate_0ther000")
    client.function_load(other)
    try:
        assert loaded(client) == sorted([library().name, "maskgate_0ther000"])
        write(store, [live_result("a", now_ms() - 5)])
        assert standing(client) == "a"
    finally:
        client.function_delete("maskgate_0ther000")


def test_keys_of_another_type_do_not_stop_verdicts(client: Redis, store: RedisVerdictStore) -> None:
    for key in (verdict_key("lobby"), history_key("lobby"), track_key("lobby", "t")):
        client.set(key, "in the way")
    write(store, [live_result("a", now_ms())])
    assert standing(client) == "a"


@pytest.fixture
def full(client: Redis) -> Iterator[None]:
    client.config_set("maxmemory", "1mb")
    yield
    client.config_set("maxmemory", "0")


@pytest.mark.usefixtures("full")
def test_a_redis_that_is_full_takes_verdicts_and_no_history(
    client: Redis, store: RedisVerdictStore
) -> None:
    write(store, [live_result("a", now_ms() - 1)])
    store.heartbeat()
    before = client.xlen(history_key("lobby"))
    write(store, [live_result("b", now_ms())])
    assert standing(client) == "b"
    assert client.get(ALIVE_KEY)
    assert client.xlen(history_key("lobby")) == before


def test_histories_yield_long_before_verdicts_do(client: Redis) -> None:
    used = int(client.info("memory")["used_memory"])
    store = RedisVerdictStore(
        client, model="m", ttl_ms=60_000, max_skew_ms=250, history=HistoryBudget(10_000)
    )
    client.config_set("maxmemory", str(used + 4_000_000))
    try:
        for batch in range(300):
            now = now_ms()
            crops = [
                live_result(f"{batch}-{i}", now + i % 2, camera=f"door-{i % 50}")
                for i in range(200)
            ]
            write(store, crops)
            store.heartbeat()
        # At their full length, 60,000 entries need 9 MB.
        assert int(client.info("memory")["used_memory"]) < used + 4_000_000
        assert all(standing(client, verdict_key(f"door-{door}")) for door in range(50))
        assert all(client.xlen(history_key(f"door-{door}")) > 50 for door in range(50))
    finally:
        client.config_set("maxmemory", "0")


def test_a_write_wakes_whoever_waits_and_only_on_its_camera(
    client: Redis, store: RedisVerdictStore, redis: RedisServer
) -> None:
    with redis.client() as other, other.pubsub() as waiting:
        waiting.subscribe(history_key("lobby"))
        assert waiting.get_message(timeout=5)["type"] == "subscribe"
        write(store, [live_result("x", now_ms(), camera="yard"), live_result("a", now_ms())])
        reported = waiting.get_message(timeout=5)
        assert (reported["type"], reported["data"]) == ("message", "a")
    assert standing(client, verdict_key("yard")) == "x"


def test_a_crop_of_no_known_camera_still_has_its_end_on_record(
    client: Redis, store: RedisVerdictStore
) -> None:
    write(store, [CropResult(tag=1, queue=QueueKind.LIVE, outcome=Outcome.UNREADABLE)])
    assert client.xlen(history_key("?")) == 1


def test_no_server_can_tell_a_client_to_move_or_to_wait_longer(client: Redis) -> None:
    own = next(entry for entry in client.client_list() if entry["name"] == "test")
    assert own["resp"] == "2", "such notifications exist in RESP3 only"


def test_a_redis_that_is_gone_is_a_store_error() -> None:
    with connect("redis://127.0.0.1:1/0", None, name="test", timeout_s=0.5) as gone:
        store = RedisVerdictStore(
            gone, model="m", ttl_ms=1, max_skew_ms=1, history=HistoryBudget(1)
        )
        with pytest.raises(StoreError):
            write(store, [live_result("a", 1)])


def test_attempts_are_counted_by_crop_and_forgotten_in_time(
    store: RedisVerdictStore, client: Redis
) -> None:
    assert [store.attempt("a" * 32), store.attempt("a" * 32), store.attempt("b" * 32)] == [1, 2, 1]
    assert 0 < client.pttl(attempts_key("a" * 32)) <= ATTEMPTS_TTL_MS
