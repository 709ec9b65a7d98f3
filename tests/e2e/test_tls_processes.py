"""Real processes over mutual TLS.

If a certificate is refused, a process keeps running, logs the cause once and retries.
"""

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.protocol.verdict import history_key
from producer.drawing import draw_face
from tests.servers.certificates import Authority, Certificate, ServerTls
from tests.servers.ports import eventually, free_port
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer, redis_server


@pytest.fixture
def mutual_redis(authority: Authority) -> Iterator[RedisServer]:
    with redis_server(
        tls=ServerTls(authority.ca, authority.issue("localhost"), demands_client_certificate=True)
    ) as server:
        yield server


@pytest.fixture
def environment(
    mutual_rabbit: RabbitServer, mutual_redis: RedisServer, authority: Authority
) -> dict[str, str]:
    mutual_rabbit.purge()
    own = authority.issue("worker")
    files = {"CA": authority.ca, "CERT": own.cert, "KEY": own.key}
    return {
        "MASKGATE_BROKER_URL": mutual_rabbit.tls_url,
        "MASKGATE_REDIS_URL": mutual_redis.tls_url,
        **{
            f"MASKGATE_{server}_{kind}_FILE": str(path)
            for server in ("BROKER", "REDIS")
            for kind, path in files.items()
        },
        "MASKGATE_REDIS_TIMEOUT_S": "2",
        "MASKGATE_LOG_JSON": "true",
        "MASKGATE_VERDICT_TTL_MS": "600000",
        "MASKGATE_METRICS_PORT": str(free_port()),
    }


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "crops"
    folder.mkdir()
    rng = np.random.default_rng(9)
    for i in range(20):
        cv2.imwrite(str(folder / f"{i}.jpg"), draw_face(rng, masked=True).pixels[:, :, ::-1])
    return folder


def retries(environment: dict[str, str], to: str) -> float:
    url = f"http://127.0.0.1:{environment['MASKGATE_METRICS_PORT']}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0  # the worker is not listening yet
    return next(
        float(line.split()[-1])
        for line in lines
        if line.startswith(f'maskgate_retries_total{{to="{to}"}}')
    )


def test_crops_become_verdicts_and_a_decision_over_mutual_tls(
    environment: dict[str, str], mutual_redis: RedisServer, faces: Path, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with running("worker", environment=environment, log=log) as worker:
        said(log, "broker.connected")
        produced = done(
            "producer", "folder", str(faces), "--camera", "lobby", environment=environment
        )
        assert produced.returncode == 0, produced.stderr
        assert json.loads(produced.stdout)["live"]["accepted"] == 20
        with mutual_redis.client() as client:
            eventually(lambda: client.xlen(history_key("lobby")) == 20, what="20 outcomes")
        reported = json.loads(done("maskgate", "wait", "lobby", environment=environment).stdout)
        assert reported["verdict"]["track_id"], reported
        assert done("maskgate", "alive", environment=environment).stdout == "a worker is at work\n"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


def test_a_worker_waits_for_a_broker_with_an_expired_certificate_until_it_is_renewed(
    environment: dict[str, str],
    mutual_rabbit: RabbitServer,
    rabbit_certificate: Certificate,
    authority: Authority,
    tmp_path: Path,
) -> None:
    log = tmp_path / "worker.log"
    authority.issue("localhost", expired=True).copy_over(rabbit_certificate)
    mutual_rabbit.forget_certificates()
    try:
        with running("worker", environment=environment, log=log) as worker:
            eventually(lambda: retries(environment, "broker") >= 4, 30, "four attempts")
            assert worker.poll() is None
            asked = done("worker.health_check", environment=environment)
            assert asked.returncode == 69
            assert "not connected to the broker" in asked.stdout
            authority.issue("localhost").copy_over(rabbit_certificate)
            mutual_rabbit.forget_certificates()
            said(log, "broker.connected")
        lost = [line for line in log.read_text().splitlines() if '"broker.lost"' in line]
        assert len(lost) == 1
        assert "certificate has expired" in lost[0]
    finally:
        authority.issue("localhost").copy_over(rabbit_certificate)
        mutual_rabbit.forget_certificates()


def test_a_worker_refused_by_redis_keeps_running_and_logs_it_once(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    stranger = Authority(tmp_path / "stranger").issue("worker")
    theirs = {
        "MASKGATE_REDIS_CERT_FILE": str(stranger.cert),
        "MASKGATE_REDIS_KEY_FILE": str(stranger.key),
    }
    with running("worker", environment={**environment, **theirs}, log=log) as worker:
        eventually(lambda: retries(environment, "redis") >= 4, 30, "four attempts")
        assert worker.poll() is None
        assert (
            done("worker.health_check", environment=environment).stdout
            == "not connected to Redis\n"
        )
    assert log.read_text().count('"redis.lost"') == 1
    assert "MASKGATE_REDIS_CERT_FILE" in log.read_text()


@pytest.mark.parametrize(
    "command",
    [("worker",), ("producer", "synthetic", "--limit", "1"), ("maskgate", "watch")],
    ids=["worker", "producer", "gate"],
)
def test_a_key_that_does_not_match_its_certificate_exits_with_78(
    command: tuple[str, ...], environment: dict[str, str], authority: Authority
) -> None:
    server = "REDIS" if command[0] == "maskgate" else "BROKER"
    key = authority.issue("other").key
    ended = done(*command, environment={**environment, f"MASKGATE_{server}_KEY_FILE": str(key)})
    assert ended.returncode == 78, ended.stderr
    assert f"MASKGATE_{server}_KEY_FILE" in ended.stderr
    assert not any(line in ended.stderr for line in key.read_text().splitlines())
