"""The index of a camera's live tracks: which people a door finds in front of a camera."""

import random
from typing import Any

import pytest
from redis import Redis

from maskgate.protocol.verdict import (
    MAX_TRACKS,
    Outcome,
    history_key,
    track_key,
    tracks_key,
    visits_key,
)
from maskgate.runtime.clock import now_ms
from tests.crop_results import live_result, write
from tests.servers.ports import eventually
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

BARE, MASKED = Outcome.NO_MASK, Outcome.MASK


def a_store(client: Redis, ttl_ms: int = 600_000) -> RedisVerdictStore:
    return RedisVerdictStore(
        client, model="m", ttl_ms=ttl_ms, max_skew_ms=250, history=HistoryBudget(100)
    )


@pytest.fixture
def store(client: Redis) -> RedisVerdictStore:
    return a_store(client)


def a_crop(
    number: int, at_ms: int, track: str | None, outcome: Outcome = BARE, camera: str = "lobby"
) -> CropResult:
    """A crop of a track; None: of a source that does not track."""
    crop_id = f"{number:032x}"
    return live_result(crop_id, at_ms, outcome, track=track or crop_id, camera=camera)


def index(client: Redis, camera: str = "lobby") -> dict[str, int]:
    found: Any = client.zrange(visits_key(camera), 0, -1, withscores=True)
    return {str(track): int(since_ms) for track, since_ms in found}


def test_the_index_says_since_when_each_track_is_there(
    client: Redis, store: RedisVerdictStore
) -> None:
    now = now_ms() - 5000
    write(store, [a_crop(1, now, "a"), a_crop(2, now + 1, "b")])
    write(store, [a_crop(i, now + 100 * i, "ab"[i % 2]) for i in range(3, 40)])
    assert index(client) == {"a": now, "b": now + 1}


@pytest.mark.parametrize("seed", range(5))
def test_order_repetition_and_batches_change_nothing(
    seed: int, client: Redis, store: RedisVerdictStore
) -> None:
    rng, begun_ms = random.Random(seed), now_ms() - 9000
    crops = [(i, begun_ms + 100 * i, rng.choice("pqr")) for i in range(60)]
    wanted = {track: min(at for _, at, who in crops if who == track) for track in "pqr"}
    shuffled = rng.sample(crops, k=len(crops)) + rng.choices(crops, k=30)
    while shuffled:
        size = rng.randrange(1, 12)
        write(store, [a_crop(*each) for each in shuffled[:size]])
        del shuffled[:size]
    assert index(client) == wanted


def test_crops_that_write_no_verdict_are_nobody(client: Redis, store: RedisVerdictStore) -> None:
    now = now_ms()
    write(store, [a_crop(1, now, "a", Outcome.EXPIRED), a_crop(2, now, "b", Outcome.UNREADABLE)])
    write(store, [a_crop(3, now + 60_000, "c"), a_crop(4, now - 700_000, "d")])
    assert index(client) == {}


def test_a_source_that_does_not_track_has_no_visits(
    client: Redis, store: RedisVerdictStore
) -> None:
    write(store, [a_crop(1, now_ms(), None)])
    assert client.hlen(tracks_key("lobby")) == 1
    assert not client.exists(visits_key("lobby"))


def test_a_track_leaves_the_index_when_its_verdict_expires(client: Redis) -> None:
    brief, begun_ms = a_store(client, 1000), now_ms()
    write(brief, [a_crop(0, begun_ms - 900, "left"), a_crop(1, begun_ms, "stays")])
    assert set(index(client)) == {"left", "stays"}

    def has_left() -> bool:
        write(brief, [a_crop(2, now_ms(), "stays")])
        return set(index(client)) == {"stays"}

    eventually(has_left, 5, "one visit")
    assert not client.exists(track_key("lobby", "left"))


def test_the_index_of_a_deserted_camera_expires(client: Redis) -> None:
    write(a_store(client, 200), [a_crop(1, now_ms(), "a")])
    assert 0 < client.pttl(visits_key("lobby")) <= 450
    eventually(lambda: not client.exists(visits_key("lobby")), 5, "no visits")


def test_invented_tracks_are_bounded_and_do_not_hide_who_wears_a_mask(
    client: Redis, store: RedisVerdictStore
) -> None:
    now = now_ms() - 1000
    write(store, [a_crop(0, now, "masked", MASKED)])
    write(store, [a_crop(i, now + i, f"invented-{i}") for i in range(1, 200)])
    assert len(index(client)) == MAX_TRACKS
    assert index(client)["masked"] == now
    assert index(client).keys() == set(client.hkeys(tracks_key("lobby")))


def test_a_key_of_another_type_is_replaced_when_somebody_comes(
    client: Redis, store: RedisVerdictStore
) -> None:
    now = now_ms() - 1000
    write(store, [a_crop(1, now, "a")])
    client.set(visits_key("lobby"), "in the way")
    write(store, [a_crop(2, now + 1, "a"), a_crop(3, now + 2, "b")])
    assert index(client) == {"a": now, "b": now + 2}


def test_an_index_that_was_deleted_is_back_with_the_next_crop(
    client: Redis, store: RedisVerdictStore
) -> None:
    now = now_ms() - 1000
    write(store, [a_crop(1, now, "a"), a_crop(2, now, "b")])
    client.delete(visits_key("lobby"))
    write(store, [a_crop(3, now + 1, "a")])
    assert index(client) == {"a": now, "b": now}


def test_each_camera_has_its_own(client: Redis, store: RedisVerdictStore) -> None:
    now = now_ms()
    write(store, [a_crop(1, now, "a"), a_crop(2, now, "b", camera="yard")])
    assert (set(index(client)), set(index(client, "yard"))) == ({"a"}, {"b"})
    assert client.xlen(history_key("yard")) == 1
