import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis import Redis

from maskgate.gate import Action, Gap, Gate
from maskgate.protocol.errors import MaskgateError, StoreError
from maskgate.protocol.verdict import ALIVE_KEY, HistoryEntry, history_key, track_key, verdict_key
from tests.crop_results import audit_result, live_result, write
from tests.servers.redis_server import RedisServer
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore


@pytest.fixture
def gate(guarded: RedisServer, admin: Redis) -> Iterator[Gate]:
    with Gate(f"redis://gate@127.0.0.1:{guarded.port}/0", "g") as gate:
        yield gate


def put(
    admin: Redis,
    outcome: str = "no_mask",
    *,
    age_ms: int = 0,
    track: str | None = None,
    changes: dict[str, str] | None = None,
) -> None:
    captured_at_ms = time.time_ns() // 1_000_000 - age_ms
    fields: dict[Any, Any] = {
        "crop_id": "c",
        "track_id": track or "t",
        "outcome": outcome,
        "p_mask": {"mask": "0.99", "no_mask": "0.01"}.get(outcome, "0.5"),
        "captured_at": str(captured_at_ms),
        "decided_at": str(captured_at_ms),
        "model": "m",
        "crops": "1",
        "agreeing": "1",
    }
    admin.hset(
        track_key("lobby", track) if track else verdict_key("lobby"),
        mapping=fields | cast("dict[Any, Any]", changes or {}),
    )


@pytest.mark.parametrize(
    ("outcome", "action"),
    [("no_mask", Action.RECOGNISE), ("mask", Action.REMOVE_MASK), ("uncertain", Action.MANUAL)],
)
def test_a_fresh_verdict_decides_the_action(
    outcome: str, action: Action, gate: Gate, admin: Redis
) -> None:
    put(admin, outcome)
    assert gate.decision("lobby").action is action


@pytest.mark.parametrize(
    "change",
    [
        {"p_mask": "nan"},
        {"p_mask": "x"},
        {"outcome": "bare"},
        {"captured_at": "1e999"},
        {"crops": ""},
    ],
)
def test_an_invalid_verdict_is_manual(change: dict[str, str], gate: Gate, admin: Redis) -> None:
    put(admin, changes=change)
    assert gate.decision("lobby").action is Action.MANUAL


def test_a_missing_or_stale_verdict_a_wrong_key_type_and_a_bad_id_are_manual(
    gate: Gate, admin: Redis
) -> None:
    assert gate.decision("lobby").action is Action.MANUAL
    put(admin, age_ms=5000)
    assert gate.decision("lobby").action is Action.MANUAL
    admin.set(verdict_key("lobby"), "x")
    assert gate.decision("lobby").action is Action.MANUAL
    assert gate.decision("a:b").action is Action.MANUAL


def test_waiting_returns_the_verdict_without_a_publish(gate: Gate, admin: Redis) -> None:
    later = threading.Timer(0.3, put, (admin,), {"track": "seven"})
    later.start()
    verdict = gate.wait("lobby", "seven", timeout_s=10)
    later.join()
    assert verdict is not None
    assert verdict.track_id == "seven"
    assert gate.wait("lobby", timeout_s=0.2) is None


def test_a_frozen_redis_is_manual_within_the_timeout(
    gate: Gate, guarded: RedisServer, admin: Redis
) -> None:
    put(admin)
    assert gate.decision("lobby").action is Action.RECOGNISE
    guarded.process.send_signal(signal.SIGSTOP)
    try:
        begun_s = time.monotonic()
        assert gate.decision("lobby").action is Action.MANUAL
        assert time.monotonic() - begun_s < 2
    finally:
        guarded.process.send_signal(signal.SIGCONT)


def test_an_unreachable_redis_is_manual() -> None:
    with Gate("redis://127.0.0.1:1/0") as gate:
        assert gate.decision("lobby", timeout_s=0.5).action is Action.MANUAL
        with pytest.raises(StoreError):
            gate.latest("lobby")


def test_following_yields_only_outcomes_from_now_on(gate: Gate, admin: Redis) -> None:
    end: dict[Any, Any] = {
        "track_id": "t",
        "outcome": "expired",
        "p_mask": "",
        "captured_at": "1",
        "decided_at": "2",
        "model": "m",
        "reason": "too_old",
    }
    admin.xadd(history_key("lobby"), {"crop_id": "before", **end})
    ends = gate.follow("lobby")
    assert next(ends) is None
    admin.xadd(history_key("lobby"), {"crop_id": "after", **end})
    reported = next(each for each in ends if isinstance(each, HistoryEntry))
    assert (reported.crop_id, reported.outcome, reported.p_mask, reported.reason) == (
        "after",
        "expired",
        None,
        "too_old",
    )


def test_a_reader_that_is_slower_than_the_trimming_learns_it(gate: Gate, admin: Redis) -> None:
    end: dict[Any, Any] = {"track_id": "t", "outcome": "mask", "decided_at": "2", "model": "m"}

    def add(crop_id: str) -> str:
        return str(
            admin.xadd(
                history_key("lobby"), {"crop_id": crop_id, **end}, maxlen=5, approximate=False
            )
        )

    first = add("first")
    ends = gate.follow("lobby", since="0")
    assert isinstance(next(ends), HistoryEntry)
    newest = [add(f"{i}") for i in range(20)][-5:]
    assert next(ends) == Gap(after=first, before=newest[0])
    followed = [next(ends) for _ in range(5)]
    assert [each.crop_id for each in followed if isinstance(each, HistoryEntry)] == [
        "15",
        "16",
        "17",
        "18",
        "19",
    ]
    add("in time")
    assert isinstance(next(ends), HistoryEntry)


def test_the_gate_knows_whether_a_worker_is_alive(gate: Gate, admin: Redis) -> None:
    assert gate.workers_alive() is False
    admin.set(ALIVE_KEY, "1")
    assert gate.workers_alive() is True


@pytest.mark.parametrize(
    "command",
    [
        "SET verdict:{x} 1",
        "HSET verdict:{lobby} a b",
        "PUBLISH verdicts:{x} 1",
        "KEYS *",
        "SCAN 0",
        "GET audit:{m}",
    ],
)
def test_the_gates_user_has_no_other_rights(command: str, guarded: RedisServer) -> None:
    with (
        Redis(port=guarded.port, username="gate", password="g") as client,
        pytest.raises(Exception, match="no permissions"),
    ):
        client.execute_command(*command.split())


def test_the_workers_user_can_do_its_work_and_no_more(guarded: RedisServer, admin: Redis) -> None:
    mask = live_result("a", time.time_ns() // 1_000_000)
    with Redis(port=guarded.port, username="worker", password="w", decode_responses=True) as client:
        store = RedisVerdictStore(
            client, model="m", ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(10)
        )
        store.heartbeat()
        write(store, [mask, audit_result("s")])
        assert store.audit_counts()["today"] == {"mask.mask": 1}
        with pytest.raises(Exception, match="no permissions"):
            client.keys("*")
    assert admin.exists(verdict_key("lobby")) == 1


def test_a_bad_camera_id_is_named(gate: Gate) -> None:
    with pytest.raises(MaskgateError, match="'a:b' is not"):
        gate.latest("a:b")
