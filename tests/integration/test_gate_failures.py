"""Every failed read gives "manual", and soon; and what a door relies on when it waits."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import maskgate.gate.wake_ups
from maskgate.gate import Action, BadIdError, Gate
from maskgate.operations.secrets import acl
from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import BadVerdictError, history_key, track_key, verdict_key
from tests.servers.ports import eventually
from tests.servers.processes import ROOT, done, running
from tests.servers.redis_server import RedisServer, redis_server

PASSWORD = "g:/@#"
#: redis-py's default of 10 retries would take 7 s.
SOON_S = 2.0
FULL = Path("/dev/full")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    users = tmp_path / "users.acl"
    users.write_text(acl({"admin": "a", "worker": "w", "gate": PASSWORD}))
    with redis_server(users, admin_password="a") as server:
        yield server


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Redis]:
    with Redis(port=server.port, username="admin", password="a", decode_responses=True) as client:
        yield client


@pytest.fixture
def door(server: RedisServer) -> Iterator[Gate]:
    with Gate(f"redis://gate@127.0.0.1:{server.port}/0", PASSWORD) as door:
        yield door


@pytest.fixture
def environment(server: RedisServer, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {
        "MASKGATE_REDIS_URL": f"redis://gate@127.0.0.1:{server.port}/0",
        "MASKGATE_REDIS_PASSWORD_FILE": str(tmp_path / "password"),
        "MASKGATE_REDIS_TIMEOUT_S": "2",
    }


def put(
    admin: Redis,
    camera: str = "lobby",
    *,
    age_ms: int = 0,
    ttl_ms: int = 60_000,
    publish: bool = False,
    **changes: object,
) -> int:
    captured_at_ms = time.time_ns() // 1_000_000 - age_ms
    fields: dict[Any, Any] = {
        "crop_id": "c",
        "track_id": "t",
        "outcome": "no_mask",
        "p_mask": "0.01",
        "captured_at": captured_at_ms,
        "decided_at": captured_at_ms,
        "model": "m",
        "crops": "9",
        "agreeing": "7",
        **changes,
    }
    with admin.pipeline() as pipeline:
        pipeline.hset(verdict_key(camera), mapping=fields)
        pipeline.pexpireat(verdict_key(camera), captured_at_ms + ttl_ms)
        if publish:
            pipeline.publish(history_key(camera), "c")
        pipeline.execute()
    return captured_at_ms


def once_subscribed(admin: Redis, act: Callable[[], object]) -> threading.Thread:
    def subscribers() -> int:
        counts: Any = admin.pubsub_numsub(history_key("lobby"))
        return int(counts[0][1])

    def run() -> None:
        eventually(subscribers, what="the door's subscription")
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_invalid_utf8_is_manual_and_the_next_verdict_counts(admin: Redis, door: Gate) -> None:
    put(admin, model=b"\xff\xfe")
    with pytest.raises(BadVerdictError):
        door.latest("lobby")
    assert door.decision("lobby").action is Action.MANUAL
    assert door.decision("lobby", timeout_s=0.1).action is Action.MANUAL
    put(admin)
    assert door.decision("lobby").action is Action.RECOGNISE


def test_a_verdict_without_any_one_of_its_fields_is_manual(admin: Redis, door: Gate) -> None:
    for field in (
        "crop_id",
        "track_id",
        "outcome",
        "p_mask",
        "captured_at",
        "decided_at",
        "model",
        "crops",
        "agreeing",
    ):
        put(admin)
        admin.hdel(verdict_key("lobby"), field)
        assert door.decision("lobby").action is Action.MANUAL, field


def test_a_verdict_of_another_track_under_a_tracks_key_is_manual(admin: Redis, door: Gate) -> None:
    put(admin, track_id="t1")
    admin.rename(verdict_key("lobby"), track_key("lobby", "t2"))
    assert "holds a verdict of track t1" in door.decision("lobby", "t2").reason


@pytest.mark.parametrize("camera", ["", "a}b", "lobby\n", "x" * 65, None, 7])
def test_an_invalid_camera_id_never_becomes_a_key(door: Gate, camera: str) -> None:
    for call in (door.latest, door.wait):
        with pytest.raises(BadIdError, match="camera"):
            call(camera)
    assert door.decision(camera).action is Action.MANUAL


def test_an_unexpected_exception_is_manual(server: RedisServer, admin: Redis) -> None:
    def broken_clock() -> int:
        msg = "no clock"
        raise OSError(msg)

    put(admin)
    with Gate(f"redis://gate@127.0.0.1:{server.port}/0", PASSWORD, clock=broken_clock) as door:
        assert door.decision("lobby").reason == "OSError: no clock"


@pytest.mark.parametrize("error_ms", [-2000, 4000])
def test_a_door_whose_clock_is_seconds_off_is_manual(
    server: RedisServer, admin: Redis, error_ms: int
) -> None:
    put(admin)
    clock = lambda: time.time_ns() // 1_000_000 + error_ms
    with Gate(f"redis://gate@127.0.0.1:{server.port}/0", PASSWORD, clock=clock) as door:
        assert door.decision("lobby").action is Action.MANUAL
        assert door.wait("lobby", timeout_s=0.1) is None


def test_a_door_whose_clock_stands_still_loses_the_verdict_when_redis_drops_it(
    server: RedisServer, admin: Redis
) -> None:
    begun_ms = put(admin, ttl_ms=500)
    with Gate(f"redis://gate@127.0.0.1:{server.port}/0", PASSWORD, clock=lambda: begun_ms) as door:
        eventually(lambda: door.decision("lobby").reason == "no verdict", what="the expiry")


def test_a_publish_alone_ends_the_wait(
    admin: Redis, door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maskgate.gate.wake_ups, "LOOK_AGAIN_S", 60)
    writer = once_subscribed(admin, lambda: put(admin, publish=True))
    assert door.wait("lobby", timeout_s=30) is not None
    writer.join()


def test_waiting_ignores_a_stale_verdict(admin: Redis, door: Gate) -> None:
    put(admin, age_ms=10_000)
    assert door.wait("lobby", timeout_s=0.2) is None
    writer = once_subscribed(admin, lambda: put(admin))
    assert door.wait("lobby", timeout_s=30) is not None
    writer.join()


def test_a_decision_waits_until_there_is_enough_evidence(admin: Redis, door: Gate) -> None:
    def more() -> None:
        put(admin, outcome="uncertain", p_mask="0.5")
        put(admin, evidence="-2.9", publish=True)
        put(admin, evidence="-3.1", publish=True)

    put(admin, outcome="uncertain", p_mask="0.5")
    writer = once_subscribed(admin, more)
    decision = door.decision("lobby", timeout_s=30, min_evidence=3)
    writer.join()
    assert (decision.action, decision.verdict and decision.verdict.evidence) == (
        Action.RECOGNISE,
        -3.1,
    )


def test_waiting_ignores_verdicts_that_are_not_newer(admin: Redis, door: Gate) -> None:
    before_ms = put(admin)
    assert door.wait("lobby", timeout_s=0.2, newer_than_ms=before_ms) is None
    assert door.decision("lobby", newer_than_ms=before_ms).action is Action.MANUAL
    put(admin, age_ms=-100)
    assert door.wait("lobby", timeout_s=30, newer_than_ms=before_ms) is not None


@pytest.mark.parametrize("connected", [False, True], ids=["new connection", "old connection"])
def test_a_frozen_redis_is_manual_within_2_s_however_long_the_door_would_wait(
    server: RedisServer, admin: Redis, door: Gate, *, connected: bool
) -> None:
    put(admin)
    if connected:
        assert door.decision("lobby").action is Action.RECOGNISE
    server.process.send_signal(signal.SIGSTOP)
    begun_s = time.monotonic()
    decision = door.decision("lobby", timeout_s=60)
    elapsed_s = time.monotonic() - begun_s
    server.process.send_signal(signal.SIGCONT)
    assert decision.action is Action.MANUAL
    assert 0.2 < elapsed_s < SOON_S


def test_a_redis_that_freezes_during_a_wait_is_manual_within_2_s(
    server: RedisServer, admin: Redis, door: Gate
) -> None:
    freezer = once_subscribed(admin, lambda: server.process.send_signal(signal.SIGSTOP))
    begun_s = time.monotonic()
    decision = door.decision("lobby", timeout_s=60)
    elapsed_s = time.monotonic() - begun_s
    freezer.join()
    server.process.send_signal(signal.SIGCONT)
    assert decision.action is Action.MANUAL
    assert elapsed_s < SOON_S


def test_a_late_reply_is_never_taken_for_the_next_query(
    server: RedisServer, admin: Redis, door: Gate
) -> None:
    put(admin)
    assert door.latest("vault") is None
    server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreError):
            door.latest("lobby")
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert door.latest("vault") is None
    assert door.latest("lobby") is not None


def test_a_door_recovers_after_a_restart_of_redis(
    server: RedisServer, admin: Redis, door: Gate
) -> None:
    put(admin)
    assert door.decision("lobby").action is Action.RECOGNISE
    server.stop()
    assert door.decision("lobby", timeout_s=0.5).action is Action.MANUAL
    server.start()
    put(admin)
    assert door.decision("lobby").action is Action.RECOGNISE


def test_a_server_that_never_replies_is_manual_within_2_s() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Gate(f"redis://127.0.0.1:{silent.getsockname()[1]}/0") as door,
    ):
        begun_s = time.monotonic()
        assert door.decision("lobby", timeout_s=60).action is Action.MANUAL
        assert time.monotonic() - begun_s < SOON_S


def test_a_wrong_password_is_manual(server: RedisServer, admin: Redis) -> None:
    put(admin)
    with Gate(f"redis://gate@127.0.0.1:{server.port}/0", "wrong") as door:
        assert door.decision("lobby", timeout_s=60).action is Action.MANUAL


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, 0), ({"outcome": "mask", "p_mask": "0.99"}, 10), ({"model": b"\xff"}, 2)],
)
def test_the_exit_code_of_wait_is_the_decision(
    admin: Redis, environment: dict[str, str], changes: dict[str, Any], code: int
) -> None:
    put(admin, age_ms=-200, **changes)
    finished = done("maskgate", "wait", "lobby", "--timeout-s", "0", environment=environment)
    reported = json.loads(finished.stdout)
    assert (finished.returncode, finished.stderr) == (code, "")
    assert reported["decision"] == {0: "recognise", 10: "remove_mask", 2: "manual"}[code]
    assert (reported["verdict"] or {}).get("crop_id") == (None if code == 2 else "c")


@pytest.mark.parametrize(
    "arguments",
    [
        ("a:b",),
        ("lobby", "--timeout-s", "-1"),
        ("lobby", "--redis-url", "http://x"),
        ("lobby", "--redis-ca-file", "/x"),
        (),
    ],
    ids=" ".join,
)
def test_an_invalid_command_line_exits_as_manual(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    assert done("maskgate", "wait", *arguments, environment=environment).returncode == 2


@pytest.mark.parametrize(
    "line",
    [
        ("wait", "--help"),
        ("wait", "lobby", "-h"),
        ("--help", "wait", "lobby"),
        ("--hel", "wait", "lobby"),
    ],
    ids=" ".join,
)
def test_asking_wait_for_help_opens_no_door(
    line: tuple[str, ...], admin: Redis, environment: dict[str, str]
) -> None:
    put(admin, age_ms=-200)
    asked = done("maskgate", *line, environment=environment)
    assert asked.returncode == 2
    assert asked.stdout.startswith("usage: maskgate")


@pytest.mark.parametrize("missing", ["redis", "pydantic", "msgspec", "maskgate.gate.client"])
def test_a_package_that_is_missing_is_neither_open_nor_remove_the_mask(
    missing: str, admin: Redis, environment: dict[str, str]
) -> None:
    put(admin, age_ms=-200, outcome="mask", p_mask="0.99")
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['maskgate', 'wait', 'lobby']; "
        "from maskgate.__main__ import run; run()"
    )
    assert shell(f'"{sys.executable}" -c "{code}"', environment) == 1


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("redirected", [">/dev/full", ">&-", ">&- 2>&- <&-", "2>&- >/dev/full"])
def test_a_decision_that_cannot_be_printed_exits_as_manual(
    redirected: str, admin: Redis, environment: dict[str, str]
) -> None:
    put(admin, age_ms=-200)
    waiting = f'exec "{sys.executable}" -m maskgate wait lobby'
    assert shell(waiting, environment) == 0
    put(admin, age_ms=-200, crop_id="d")
    assert shell(f"{waiting} {redirected}", environment) == 2


def shell(command: str, environment: dict[str, str]) -> int:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def test_an_interrupted_wait_exits_as_manual(
    admin: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "wait.log"
    with running(
        "maskgate", "wait", "lobby", "--timeout-s", "60", environment=environment, log=log
    ) as waiting:
        once_subscribed(admin, lambda: waiting.send_signal(signal.SIGINT)).join()
        assert waiting.wait(10) == 2
    assert json.loads(log.read_text())["reason"] == "interrupted"


def test_wait_works_without_rich() -> None:
    code = (
        "import sys; sys.modules['rich'] = None; import maskgate.gate.commands; "
        "sys.exit(maskgate.gate.commands.main(['wait', 'a:b']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (2, "")


def test_watch_reports_a_redis_that_is_down_from_the_start(tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    with running(
        "maskgate",
        "watch",
        "lobby",
        environment={"MASKGATE_REDIS_URL": "redis://127.0.0.1:1/0"},
        log=log,
    ) as watching:
        eventually(lambda: "lobby manual" in log.read_text(), what="the line for the missing Redis")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    assert log.read_text().count("redis lost") == 1


def test_watch_reports_an_expired_verdict_and_ignores_channels_of_no_camera(
    admin: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "watch.log"

    def shows_bare_face() -> bool:
        admin.publish("verdicts:[/bold]", "x")
        # The key expires before the gate calls the verdict stale. Otherwise either can happen
        # first, and the line would keep the first reason.
        put(admin, ttl_ms=1500, publish=True)
        return "lobby recognise" in log.read_text()

    with running(
        "maskgate", "watch", "--interval-s", "0.2", environment=environment, log=log
    ) as watching:
        eventually(shows_bare_face, what="the line for an unmasked face")
        eventually(
            lambda: "lobby manual (no verdict)" in log.read_text(),
            what="the line for the expired verdict",
        )
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(10) == 0
    assert "bold" not in log.read_text()


def test_watch_prints_a_camera_at_most_once_per_interval(
    admin: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "watch.log"

    def lines() -> int:
        put(admin, publish=True)
        return log.read_text().count("lobby recognise")

    with running("maskgate", "watch", "--interval-s", "0.5", environment=environment, log=log):
        eventually(lines, what="a line")
        begun_s = time.monotonic()
        eventually(lambda: lines() >= 4, what="three more lines")
    assert time.monotonic() - begun_s > 3 * 0.5 - 0.1
