"""What a door learns about its camera, with the rights of the gate's user."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from maskgate.gate import Action, BadIdError, Gate
from maskgate.protocol.camera_state import (
    BadCameraStateError,
    CameraCondition,
    CameraState,
    SentState,
    camera_key,
)
from maskgate.protocol.errors import StoreError
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import live_result, write
from tests.servers.ports import eventually
from tests.servers.processes import running
from tests.servers.redis_server import RedisServer
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

UP, NO_SIGNAL = CameraCondition.UP, CameraCondition.NO_SIGNAL


@pytest.fixture
def store(guarded: RedisServer, admin: Redis) -> Iterator[RedisVerdictStore]:
    url = f"redis://worker@127.0.0.1:{guarded.port}/0"
    with connect(url, "w", name="test", timeout_s=2) as client:
        yield a_store(client)


def a_store(client: Redis) -> RedisVerdictStore:
    return RedisVerdictStore(
        client, model="m", ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(9)
    )


def send(
    store: RedisVerdictStore, state: CameraCondition, detail: str = "", *, ago_ms: int = 0
) -> CameraState:
    at_ms = now_ms() - ago_ms
    sent = CameraState(state=state, since_ms=at_ms - 500, sent_at_ms=at_ms, detail=detail)
    with store.writing([], [SentState("lobby", sent)]):
        pass
    return sent


def test_a_door_reads_the_state_that_a_worker_wrote(gate: Gate, store: RedisVerdictStore) -> None:
    assert gate.camera_state("lobby") is None
    sent = send(store, NO_SIGNAL, "connection refused")
    assert gate.camera_state("lobby") == sent


def test_a_state_is_unknown_when_its_time_is_over(gate: Gate, store: RedisVerdictStore) -> None:
    send(store, UP, ago_ms=14_500)
    eventually(lambda: gate.camera_state("lobby") is None, 5, "no state")


def test_a_door_without_a_verdict_says_that_its_camera_is_down(
    gate: Gate, store: RedisVerdictStore
) -> None:
    assert gate.decision("lobby").reason == "no verdict"
    send(store, UP, ago_ms=10)  # of two states of one millisecond, the first stands
    assert gate.decision("lobby").reason == "no verdict"
    send(store, NO_SIGNAL, "connection refused")
    for timeout_s in (0, 0.1):
        decision = gate.decision("lobby", timeout_s=timeout_s)
        assert decision.action is Action.MANUAL
        assert decision.reason == "camera is down: no_signal (connection refused)"


def test_a_camera_that_says_it_is_down_does_not_change_a_verdict(
    gate: Gate, store: RedisVerdictStore
) -> None:
    send(store, NO_SIGNAL)
    write(store, [live_result("a", now_ms())])
    assert gate.decision("lobby").action is Action.REMOVE_MASK


def test_a_broken_state_is_an_error_and_only_no_verdict_to_a_decision(
    gate: Gate, admin: Redis
) -> None:
    admin.hset(camera_key("lobby"), "state", "broken")
    with pytest.raises(BadCameraStateError):
        gate.camera_state("lobby")
    assert gate.decision("lobby").reason == "no verdict"
    admin.set(camera_key("lobby"), "in the way")
    with pytest.raises(StoreError):
        gate.camera_state("lobby")
    assert gate.decision("lobby").reason == "no verdict"
    with pytest.raises(BadIdError):
        gate.camera_state("a:b")


def test_watch_shows_a_camera_that_is_down_and_sends_no_crops(
    redis: RedisServer, client: Redis, tmp_path: Path
) -> None:
    log = tmp_path / "watch.log"
    store = a_store(client)
    environment = {"MASKGATE_REDIS_URL": redis.url}
    with running("maskgate", "watch", "--interval-s", "0.2", environment=environment, log=log):

        def shows(state: CameraCondition, line: str) -> bool:
            send(store, state)
            return line in log.read_text().splitlines()

        eventually(lambda: shows(NO_SIGNAL, "lobby camera is no_signal"), what="the dead camera")
        eventually(lambda: shows(UP, "lobby camera is up"), what="the camera that is up again")
    assert log.read_text().count("lobby manual (camera is down: no_signal)") == 1
