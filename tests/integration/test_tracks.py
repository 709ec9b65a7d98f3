"""Several people in front of one camera, and several crops of one: what a door reads."""

import random
from collections.abc import Iterator
from itertools import count

import pytest
from redis import Redis

from maskgate.gate import Action, Gate
from maskgate.protocol.evidence import evidence
from maskgate.protocol.verdict import MAX_TRACKS, Outcome, track_key, tracks_key, verdict_key
from maskgate.runtime.clock import now_ms
from tests.crop_results import live_result, write
from tests.servers.ports import eventually
from tests.servers.redis_server import RedisServer
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

BARE, MASKED = Outcome.NO_MASK, Outcome.MASK


@pytest.fixture
def store(client: Redis) -> RedisVerdictStore:
    return RedisVerdictStore(
        client, model="m", ttl_ms=600_000, max_skew_ms=250, history=HistoryBudget(100)
    )


@pytest.fixture
def door(redis: RedisServer) -> Iterator[Gate]:
    with Gate(redis.url, timeout_s=2) as door:
        yield door


def a_crop(number: int, at_ms: int, outcome: Outcome, track: str | None = "t") -> CropResult:
    """A crop of a track; None: of a source that does not track."""
    crop_id = f"{number:032x}"
    return live_result(crop_id, at_ms, outcome, track=track or crop_id)


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("order", [(BARE, MASKED), (MASKED, BARE)])
def test_two_faces_in_one_picture_never_open(
    order: tuple[Outcome, Outcome], *, tracked: bool, store: RedisVerdictStore, door: Gate
) -> None:
    begun_ms = now_ms() - 2000
    for i in range(15):
        for number, outcome in enumerate(order):
            track = outcome.value if tracked else None
            write(store, [a_crop(2 * i + number, begun_ms + 100 * i, outcome, track)])
        assert door.decision("lobby").action is not Action.RECOGNISE
    if tracked:
        assert door.decision("lobby", BARE.value).action is Action.RECOGNISE
        assert door.decision("lobby", MASKED.value).action is Action.REMOVE_MASK


def test_the_camera_opens_when_the_masked_person_has_gone(client: Redis, door: Gate) -> None:
    brief = RedisVerdictStore(
        client, model="m", ttl_ms=1000, max_skew_ms=250, history=HistoryBudget(9)
    )
    now = now_ms()
    write(brief, [a_crop(1, now - 990, MASKED, "b"), a_crop(2, now, BARE, "a")])
    numbers = count(3)

    def opens() -> bool:
        number = next(numbers)
        write(brief, [a_crop(number, now + number, BARE, "a")])
        return door.decision("lobby").action is Action.RECOGNISE and now_ms() > now + 9

    eventually(opens, 5, "an open door")


def test_a_door_may_ask_for_crops_of_the_person_who_is_there_now(
    store: RedisVerdictStore, door: Gate
) -> None:
    left_ms = now_ms() - 2500
    write(store, [a_crop(i, left_ms - 100 * i, BARE, "a") for i in range(5)])
    write(store, [a_crop(9, now_ms(), Outcome.UNREADABLE, "b")])
    assert door.decision("lobby").action is Action.RECOGNISE
    assert door.decision("lobby", newer_than_ms=left_ms).action is Action.MANUAL


def test_isolated_errors_among_masked_crops_never_open(
    store: RedisVerdictStore, door: Gate
) -> None:
    begun_ms = now_ms() - 6000
    for i in range(57):
        wrong = i in (13, 30, 44)
        write(store, [a_crop(i, begun_ms + 100 * i, BARE if wrong else MASKED)])
        assert door.decision("lobby").action is not Action.RECOGNISE
        assert door.decision("lobby", "t").action is not Action.RECOGNISE


@pytest.mark.parametrize("seed", range(5))
def test_redis_computes_the_evidence_that_the_documentation_defines(
    seed: int, client: Redis, store: RedisVerdictStore
) -> None:
    rng, now = random.Random(seed), now_ms()
    crops = {now - rng.randrange(5000): rng.random() for _ in range(30)}
    crops |= {now - 1: 0.0, now - 2: 1.0}
    write(
        store,
        [live_result(f"{at_ms}", at_ms, MASKED, p_mask=p_mask) for at_ms, p_mask in crops.items()],
    )
    for key in (verdict_key("lobby"), track_key("lobby", "t")):
        assert float(client.hget(key, "evidence") or "nan") == pytest.approx(
            evidence(list(crops.items())), abs=0.0006
        )


def test_invented_tracks_neither_grow_nor_hide_who_wears_a_mask(
    client: Redis, store: RedisVerdictStore, door: Gate
) -> None:
    now = now_ms() - 1000
    write(store, [a_crop(0, now, MASKED, "masked")])
    write(store, [a_crop(i, now + i, BARE, f"invented-{i}") for i in range(1, 200)])
    assert client.hlen(tracks_key("lobby")) == MAX_TRACKS
    assert door.decision("lobby").action is Action.REMOVE_MASK


def test_what_is_no_track_is_forgotten(client: Redis, store: RedisVerdictStore) -> None:
    client.set(tracks_key("lobby"), "in the way")
    write(store, [a_crop(1, now_ms(), MASKED)])
    assert client.hgetall(verdict_key("lobby"))
