"""Real processes, broker and Redis: every accepted crop has exactly one outcome."""

import json
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pika
import pytest

from maskgate.estimates.reading import HoursReader, total
from maskgate.protocol.audit import audit_newest_key
from maskgate.protocol.camera_state import (
    CameraCondition,
    CameraState,
    camera_key,
    parse_fields,
    to_message,
)
from maskgate.protocol.scores import OUTCOMES
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE
from maskgate.protocol.verdict import NO_CAMERA, history_key
from maskgate.runtime.clock import now_ms
from producer.drawing import draw_face
from tests.servers.ports import eventually, free_port
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer


def ends(redis: RedisServer, camera: str) -> dict[str, str]:
    with redis.client() as client:
        return {
            fields["crop_id"]: fields["outcome"] for _, fields in client.xrange(history_key(camera))
        }


def counted(redis: RedisServer, camera: str) -> Counter[str]:
    """How often each outcome was counted at a camera in the last hours."""
    with redis.client() as client:
        by_model = HoursReader(client).read(now_ms())
    hours = [hour for of in by_model.values() for hour in of.get(camera, [])]
    scores = total(hours)
    return +Counter({outcome.value: scores.n(outcome) for outcome in OUTCOMES})


def lines(log: Path, event: str) -> list[dict[str, object]]:
    return [
        reported
        for reported in map(json.loads, log.read_text().splitlines())
        if reported["event"] == event
    ]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "crops" / "WithMask"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(9)
    for i in range(40):
        cv2.imwrite(str(folder / f"{i}.jpg"), draw_face(rng, masked=True).pixels[:, :, ::-1])
    return folder


def test_the_crops_of_a_folder_become_verdicts_that_the_gate_reads(
    environment: dict[str, str], redis: RedisServer, faces: Path, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with (
        running("worker", environment=environment, log=log),
        running("worker", environment=environment, log=log),
    ):
        said(log, "broker.connected", 2)
        produced = done(
            "producer", "folder", str(faces), "--camera", "lobby", environment=environment
        )
        assert produced.returncode == 0, produced.stderr
        assert json.loads(produced.stdout)["live"]["accepted"] == 40
        eventually(lambda: len(ends(redis, "lobby")) == 40, what="40 outcomes")
        decided = done("maskgate", "wait", "lobby", environment=environment)
        assert list(ends(redis, "lobby").values()).count("mask") >= 36
        reported = json.loads(decided.stdout)
        assert reported["verdict"]["crop_id"] in ends(redis, "lobby")
        # Workers add what they counted once a second; one that is killed may lose that much.
        wanted = Counter(ends(redis, "lobby").values())
        eventually(lambda: counted(redis, "lobby") == wanted, what="every crop to be counted once")
    assert (
        done(
            "maskgate", "wait", "nowhere", "--timeout-s", "0.2", environment=environment
        ).returncode
        == 2
    )


def test_a_killed_worker_under_load_loses_no_crop(
    environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    load = [
        "producer",
        "synthetic",
        "--camera",
        "kill",
        "--loop",
        "--limit",
        "6000",
        "--faces",
        "32",
        "--rate",
        "2000",
    ]
    with (
        running("worker", environment=environment, log=log) as first,
        running("worker", environment=environment, log=log),
    ):
        said(log, "broker.connected", 2)
        out = tmp_path / "producer.log"
        with running(*load, environment=environment, log=out) as producer:
            eventually(lambda: len(ends(redis, "kill")) > 1000, 30, "1,000 outcomes")
            first.kill()
            assert producer.wait(60) == 0
        summary = json.loads(out.read_text().splitlines()[-1])["live"]
        assert (
            summary["offered"]
            == summary["accepted"] + summary["refused"] + summary["in_doubt"]
            == 6000
        )
        eventually(
            lambda: len(ends(redis, "kill")) >= summary["accepted"],
            30,
            "an outcome of every accepted crop",
        )


def test_sigterm_under_load_drains_and_exits_0_within_5_s(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    log, out = tmp_path / "worker.log", tmp_path / "producer.log"
    load = [
        "producer",
        "synthetic",
        "--camera",
        "term",
        "--loop",
        "--limit",
        "6000",
        "--faces",
        "32",
        "--rate",
        "2000",
    ]
    with (
        running("worker", environment=environment, log=log) as worker,
        running(*load, environment=environment, log=out) as producer,
    ):
        eventually(lambda: len(ends(redis, "term")) > 1000, 30, "1,000 outcomes")
        worker.send_signal(signal.SIGTERM)
        begun_s = time.monotonic()
        assert worker.wait(10) == 0
        assert time.monotonic() - begun_s < 5
        assert producer.wait(60) == 0
    written = ends(redis, "term")
    waiting = {properties.message_id for properties, _ in rabbit.get(LIVE_QUEUE)}
    assert not waiting & written.keys(), "crops with an outcome are still in the queue"
    assert (
        len(waiting) + len(written)
        == json.loads(out.read_text().splitlines()[-1])["live"]["accepted"]
    )


def audited(log: Path, window: str) -> list[dict[str, object]]:
    return [line for line in lines(log, "audit.report") if line["window"] == window]


def test_the_logged_audit_report_matches_the_counts_in_redis(
    environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with running("worker", environment=environment, log=log):
        load = [
            "producer",
            "synthetic",
            "--camera",
            "a",
            "--loop",
            "--limit",
            "400",
            "--faces",
            "64",
            "--audit-drawn",
            "--audit-every",
            "4",
        ]
        produced = json.loads(done(*load, environment=environment).stdout)
        assert produced["audit"]["accepted"] == 100
        eventually(
            lambda: [r for r in audited(log, "30d") if r["n"] == 100],
            20,
            "a report on 100 samples",
        )
        eventually(
            lambda: sum(int(str(line["crops"])) for line in lines(log, "worker.interval")) >= 500,
            20,
            "500 crops",
        )
    with redis.client() as client:
        (model,) = {str(line["model"]) for line in lines(log, "audit.report")}
        counts = Counter(client.lrange(audit_newest_key(model), 0, -1))
    reported = audited(log, "newest")[-1]
    assert sum(counts.values()) == reported["n"]
    hits, false_positives = counts.get("mask.mask", 0), counts.get("no_mask.mask", 0)
    assert reported["precision"] == pytest.approx(hits / (hits + false_positives), abs=1e-4)
    work = lines(log, "worker.interval")
    assert {
        "crops_per_s",
        "batch_mean",
        "latency_ms_p50",
        "infer_ms_p99",
        "write_ms_p99",
        "mask",
        "no_mask",
    } <= work[0].keys()


def test_bad_messages_are_dead_lettered_and_good_ones_are_classified(
    environment: dict[str, str],
    rabbit: RabbitServer,
    redis: RedisServer,
    faces: Path,
    tmp_path: Path,
) -> None:
    good = {"camera_id": "door", "captured_at": time.time_ns() // 1_000_000}
    bad = [
        {},
        {**good, "camera_id": "a:b"},
        {**good, "captured_at": "x"},
        {**good, "label": "mask"},
        {**good, "captured_at": 1 << 52},
    ]
    body = next(faces.iterdir()).read_bytes()
    with rabbit.channel() as channel:
        for i, headers in enumerate([*bad, good]):
            properties = pika.BasicProperties(
                content_type="image/jpeg",
                type="face-crop.v1",
                message_id=f"{i:032x}",
                headers=headers,
            )
            channel.basic_publish("crops", "live.door", body, properties)
        sample = pika.BasicProperties(
            content_type="image/jpeg", type="face-crop.v1", message_id="f" * 32, headers=good
        )
        channel.basic_publish("audit", "audit", body, sample)
    with running("worker", environment=environment, log=tmp_path / "worker.log"):
        eventually(lambda: rabbit.depth(DEAD_QUEUE) == len(bad) + 1, what="the dead letters")
        eventually(
            lambda: f"{len(bad):032x}" in ends(redis, "door"), what="the good crop's verdict"
        )
    assert set(ends(redis, "door").values()) == {"unreadable", "mask"}
    assert rabbit.depth(LIVE_QUEUE) == rabbit.depth(AUDIT_QUEUE) == 0


def test_a_crop_under_another_cameras_key_is_unreadable_and_filed_with_its_sender(
    environment: dict[str, str],
    rabbit: RabbitServer,
    redis: RedisServer,
    faces: Path,
    tmp_path: Path,
) -> None:
    claimed = {"camera_id": "door", "captured_at": time.time_ns() // 1_000_000}
    body = next(faces.iterdir()).read_bytes()
    keys = ("live.yard", b"live.d\xe9", "live.a:b")
    with rabbit.channel() as channel:
        for i, key in enumerate(keys):
            properties = pika.BasicProperties(
                "image/jpeg", type="face-crop.v1", message_id=f"{i:032x}", headers=claimed
            )
            channel.basic_publish("crops", key, body, properties)
    with (
        running("worker", environment=environment, log=tmp_path / "worker.log"),
        redis.client() as client,
    ):
        eventually(lambda: rabbit.depth(DEAD_QUEUE) == len(keys), what="the dead letters")
        reasons = {
            camera: [fields["reason"] for _, fields in client.xrange(history_key(camera))]
            for camera in ("yard", NO_CAMERA)
        }
        written = set(client.keys("verdict*"))
    assert reasons == {"yard": ["camera_mismatch"], NO_CAMERA: ["camera_mismatch"] * 2}
    assert written == {history_key(camera) for camera in reasons}, "a key of the claimed camera"


def test_a_cameras_state_is_readable_and_is_no_crop(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    state = CameraState(state=CameraCondition.DARK, since_ms=now_ms - 9000, sent_at_ms=now_ms)
    good = to_message("yard", state)
    bad = msgspec.structs.replace(to_message("yard", state), body=b"{}")
    with rabbit.channel() as channel:
        for each in (good, bad):
            properties = pika.BasicProperties(
                str(each.content_type), type=str(each.type), message_id=str(each.message_id)
            )
            channel.basic_publish("crops", each.routing_key, each.body, properties)
    log = tmp_path / "worker.log"
    with running("worker", environment=environment, log=log), redis.client() as client:
        eventually(lambda: client.exists(camera_key("yard")), what="the camera's state")
        eventually(lambda: rabbit.depth(DEAD_QUEUE) == 1, what="the dead letter")
        eventually(
            lambda: sum(int(str(each["camera_states"])) for each in lines(log, "worker.interval")),
            what="the count of camera states",
        )
        assert parse_fields(client.hgetall(camera_key("yard"))) == state
    assert ends(redis, "yard") == {str(bad.message_id): "unreadable"}
    assert rabbit.depth(LIVE_QUEUE) == 0
    ((properties, body),) = rabbit.get(DEAD_QUEUE)
    assert (properties.headers["dead_reason"], body) == ("bad_state", b"{}")


def test_a_crop_too_old_for_its_door_expires_undecoded(
    environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    done("producer", "synthetic", "--camera", "late", "--limit", "4", environment=environment)
    impatient = {**environment, "MASKGATE_VERDICT_TTL_MS": "100"}
    with running("worker", environment=impatient, log=tmp_path / "worker.log"):
        eventually(lambda: len(ends(redis, "late")) == 4, what="four outcomes")
    assert set(ends(redis, "late").values()) == {"expired"}
    with redis.client() as client:
        assert not client.keys("verdict:*")


def test_health_and_metrics_show_both_connections(
    environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    with running(
        "worker",
        environment={**environment, "MASKGATE_METRICS_PORT": str(port)},
        log=tmp_path / "worker.log",
    ):
        asked = {**environment, "MASKGATE_METRICS_PORT": str(port)}
        eventually(
            lambda: done("worker.health_check", environment=asked).returncode == 0, what="readiness"
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        assert 'maskgate_connected{to="broker"} 1.0' in metrics
        assert 'maskgate_connected{to="redis"} 1.0' in metrics
    assert done("worker.health_check", environment=asked).returncode == 69


@pytest.mark.parametrize(
    ("change", "code", "complaint"),
    [
        ({"MASKGATE_MAX_BATCH": "none"}, 78, "MASKGATE_MAX_BATCH"),
        ({"MASKGATE_BROKER_URL": "http://secret@x"}, 78, "MASKGATE_BROKER_URL"),
        ({"MASKGATE_REDIS_URL": "nonsense"}, 78, "MASKGATE_REDIS_URL"),
        ({"MASKGATE_BROKER_PASSWORD_FILE": "/nowhere"}, 78, "MASKGATE_BROKER_PASSWORD_FILE"),
        ({"MASKGATE_MODEL_PATH": "/nowhere.onnx"}, 66, "/nowhere.onnx"),
        ({"MASKGATE_MODEL_SHA256": "0" * 64}, 66, "pinned"),
    ],
)
def test_an_invalid_setting_is_named_and_sets_the_exit_code(
    change: dict[str, str], code: int, complaint: str
) -> None:
    ended = done("worker", environment=change)
    assert ended.returncode == code
    assert complaint in ended.stderr
    assert "secret" not in ended.stderr
