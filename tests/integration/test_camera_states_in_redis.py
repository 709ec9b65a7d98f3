"""A camera's state in Redis: the newest stands, for 15 s, and the gate's user may read it."""

import random
from typing import Any

import pytest
from redis import Redis

from maskgate.protocol.camera_state import (
    STATE_TTL_MS,
    STATE_WAKE_UP,
    CameraCondition,
    CameraState,
    SentState,
    camera_key,
    parse_fields,
)
from maskgate.protocol.verdict import history_key
from maskgate.runtime.clock import now_ms
from tests.crop_results import live_result
from tests.servers.redis_server import RedisServer
from worker.store.function_calls import state_calls
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

UP, DARK = CameraCondition.UP, CameraCondition.DARK


@pytest.fixture
def store(client: Redis) -> RedisVerdictStore:
    return RedisVerdictStore(
        client, model="m", ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(100)
    )


def a_state(
    sent_at_ms: int, state: CameraCondition = UP, camera: str = "lobby", **more: Any
) -> SentState:
    return SentState(
        camera, CameraState(state=state, since_ms=sent_at_ms, sent_at_ms=sent_at_ms, **more)
    )


def write(store: RedisVerdictStore, *states: SentState) -> None:
    with store.writing([], states):
        pass


def standing(client: Redis, camera: str = "lobby") -> CameraState | None:
    fields: Any = client.hgetall(camera_key(camera))
    return parse_fields(fields)


def test_a_state_stands_for_15_s_after_it_was_sent(client: Redis, store: RedisVerdictStore) -> None:
    sent = a_state(now_ms() - 4000, DARK, detail="too dark", held_back={"too_small": 3}, fps=4.5)
    write(store, sent)
    assert standing(client) == sent.state
    assert client.pexpiretime(camera_key("lobby")) == sent.state.sent_at_ms + STATE_TTL_MS


def test_a_field_that_is_no_longer_sent_is_gone(client: Redis, store: RedisVerdictStore) -> None:
    now = now_ms()
    write(store, a_state(now - 2, held_back={"too_small": 3}, clock_difference_ms=7))
    write(store, newer := a_state(now - 1))
    assert standing(client) == newer.state


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_state_stands_in_whatever_order_and_however_often(
    seed: int, client: Redis, store: RedisVerdictStore
) -> None:
    rng, now = random.Random(seed), now_ms() - 100
    states = [a_state(now + i, rng.choice(list(CameraCondition)), faces=i) for i in range(20)]
    shuffled = rng.sample(states, k=20) + rng.choices(states, k=10)
    while shuffled:
        size = rng.randrange(1, 6)
        write(store, *shuffled[:size])
        del shuffled[:size]
    assert standing(client) == states[-1].state


@pytest.mark.parametrize("away_ms", [-STATE_TTL_MS, -3_600_000, 1000, 3_600_000])
def test_neither_a_stale_state_nor_one_from_the_future_is_written(
    away_ms: int, client: Redis, store: RedisVerdictStore
) -> None:
    write(store, a_state(now_ms() + away_ms))
    assert standing(client) is None


def test_a_batch_writes_each_camera_once(store: RedisVerdictStore, client: Redis) -> None:
    now = now_ms() - 100
    states = [a_state(now + i % 50, camera=f"door-{i % 2}", faces=i) for i in range(50)]
    assert len(list(state_calls(states, 250))) == 2
    write(store, *states)
    found = [standing(client, f"door-{i}") for i in range(2)]
    assert [state and state.faces for state in found] == [48, 49]


def test_a_key_of_another_type_does_not_stop_states(
    client: Redis, store: RedisVerdictStore
) -> None:
    client.set(camera_key("lobby"), "in the way")
    write(store, a_state(now_ms()))
    assert standing(client) is not None


def test_a_state_wakes_whoever_waits_and_is_in_no_history(
    client: Redis, store: RedisVerdictStore, redis: RedisServer
) -> None:
    with redis.client() as other, other.pubsub() as waiting:
        waiting.subscribe(history_key("lobby"))
        assert waiting.get_message(timeout=5)["type"] == "subscribe"
        with store.writing([live_result("a", now_ms())], [a_state(now_ms())]):
            pass
        assert waiting.get_message(timeout=5)["data"] == "a"
        assert waiting.get_message(timeout=5)["data"] == STATE_WAKE_UP
    assert client.xlen(history_key("lobby")) == 1
