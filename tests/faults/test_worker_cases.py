"""A worker without a broker, refused by it, too slow for heartbeats, in replicas, without a log."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from maskgate.protocol.topology import DEAD_QUEUE, LIVE_QUEUE
from maskgate.protocol.verdict import history_key
from tests.faults.load import bodies
from tests.faults.proxy import FaultProxy
from tests.faults.test_hostile import confirmed, publish
from tests.servers.ports import eventually, free_port
from tests.servers.processes import ROOT, done, running, said
from tests.servers.rabbit_server import RabbitServer, rabbit_server
from tests.servers.redis_server import RedisServer

GOOD = bodies(1)[0]


def ended(redis: RedisServer) -> set[str]:
    with redis.client() as client:
        return {fields["crop_id"] for _, fields in client.xrange(history_key("door"))}


def has_result(redis: RedisServer, crop_id: str) -> bool:
    return crop_id in ended(redis)


def test_a_worker_started_before_its_broker_waits_for_it(
    environment: dict[str, str], rabbit: RabbitServer, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", free_port()
    with FaultProxy(rabbit.port) as proxy:
        proxy.refuse()
        early = {
            **environment,
            "MASKGATE_BROKER_URL": rabbit.url.replace(str(rabbit.port), str(proxy.port)),
            "MASKGATE_METRICS_PORT": str(port),
        }
        with running("worker", environment=early, log=log) as worker:
            said(log, "broker.lost")
            said(log, "worker.interval", 3)
            assert (
                "not connected to the broker"
                in done("worker.health_check", environment=early).stdout
            )
            proxy.accept()
            said(log, "broker.connected")
            assert worker.poll() is None
    assert log.read_text().count('"broker.lost"') == 1, "an outage is logged more than once"


@pytest.fixture
def refusing(rabbit: RabbitServer) -> Iterator[None]:
    rabbit.ctl("add_user", "stranger", "word")
    rabbit.ctl("set_permissions", "stranger", "^$", "^$", "^$")
    yield
    rabbit.ctl("delete_user", "stranger")


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize(
    ("login", "complaint"),
    [("stranger:wrong", "ProbableAuthentication"), ("stranger:word", "ACCESS_REFUSED")],
)
def test_a_worker_refused_by_the_broker_keeps_running_and_logs_it_once(
    login: str, complaint: str, environment: dict[str, str], rabbit: RabbitServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    refused = {**environment, "MASKGATE_BROKER_URL": rabbit.url.replace("guest:guest", login)}
    with running("worker", environment=refused, log=log) as worker:
        said(log, "worker.interval", 3)
        assert worker.poll() is None
    text = log.read_text()
    assert text.count('"broker.lost"') == 1
    assert complaint in text
    assert login.partition(":")[2] not in text.replace("password", "")


@pytest.mark.parametrize(
    "command",
    [
        ("worker",),
        ("producer", "synthetic"),
        ("maskgate", "wait", "door"),
        ("worker", "deadletters", "list"),
    ],
    ids=" ".join,
)
def test_no_password_appears_in_output_or_the_process_list(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("broker", "redis"):
        (tmp_path / name).write_text(f"{name}-s3cret\n")
    environment = {
        "MASKGATE_BROKER_URL": "amqp://stranger:url-s3cret@127.0.0.1:1/%2F",
        "MASKGATE_BROKER_PASSWORD_FILE": str(tmp_path / "broker"),
        "MASKGATE_REDIS_URL": "redis://stranger:url-s3cret@127.0.0.1:1/0",
        "MASKGATE_REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "MASKGATE_LOG_LEVEL": "debug",
    }
    log = tmp_path / "log"
    with running(*command, environment=environment, log=log) as process:
        eventually(log.read_text, 20, "an error message")
        listed = Path(f"/proc/{process.pid}/cmdline").read_text()
        process.terminate()
        process.wait(20)
    assert "s3cret" not in log.read_text() + listed


def test_a_broker_port_that_never_answers_times_out_and_the_worker_keeps_running(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = {
            **environment,
            "MASKGATE_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/%2F",
        }
        with running("worker", environment=mute, log=log) as worker:
            said(log, "broker.lost")
            assert worker.poll() is None


def test_a_batch_slower_than_the_heartbeat_is_done_again_and_nothing_is_lost(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    with confirmed(rabbit) as channel:
        sent = {publish(channel, GOOD.content, GOOD.content_type) for _ in range(150)}
    log = tmp_path / "log"
    with running("tests.faults.slow_worker", "150", "1", environment=environment, log=log):
        eventually(lambda: ended(redis) == sent, 90, "every crop's verdict")
        said(log, "broker.lost")
    assert rabbit.depth(DEAD_QUEUE) == 0


def test_replicas_come_and_go_and_every_crop_has_its_end(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    sent: set[str] = set()
    with ExitStack() as stack:
        first = stack.enter_context(
            running("worker", environment=environment, log=tmp_path / "first")
        )
        said(tmp_path / "first", "broker.connected")
        for replicas in (3, 0):
            more = [
                stack.enter_context(
                    running("worker", environment=environment, log=tmp_path / "more")
                )
                for _ in range(replicas)
            ]
            said(tmp_path / "more", "broker.connected", 3)
            with confirmed(rabbit) as channel:
                sent |= {publish(channel, GOOD.content, GOOD.content_type) for _ in range(300)}
            for worker in more:
                worker.send_signal(signal.SIGTERM)
            assert [worker.wait(20) for worker in more] == [0] * replicas
        eventually(lambda: ended(redis) == sent, 30, "every crop's verdict")
        assert first.poll() is None
    assert rabbit.depth(LIVE_QUEUE) == rabbit.depth(DEAD_QUEUE) == 0


@pytest.mark.parametrize("way", ["closed", "broken pipe", "full disk"])
def test_a_worker_that_can_not_log_works_on(
    way: str, environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer
) -> None:
    read, write = os.pipe()
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "worker"]
        if way == "closed":
            command = ["sh", "-c", f"exec {sys.executable} -m worker >&- 2>&-"]
        out = full if way == "full disk" else write
        # Buffered, as on a machine where nobody set this variable.
        buffered = {**os.environ, **environment, "PYTHONUNBUFFERED": ""}
        worker = subprocess.Popen(command, cwd=ROOT, env=buffered, stdout=out, stderr=out)
    os.close(write)
    os.close(read)
    try:
        for _ in range(2):  # before the second crop, several log lines could not be written
            with confirmed(rabbit) as channel:
                sent = publish(channel, GOOD.content, GOOD.content_type)
            eventually(partial(has_result, redis, sent), 30, "the verdict")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.wait(10)


def test_dead_letters_wait_for_a_queue_that_is_missing(
    environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with rabbit_server() as rabbit:
        rabbit.ctl("delete_queue", DEAD_QUEUE)
        with confirmed(rabbit) as channel:
            bad = publish(channel, b"no picture", "image/jpeg")
            good = publish(channel, GOOD.content, GOOD.content_type)
        of_broker = {**environment, "MASKGATE_BROKER_URL": rabbit.url}
        with running("worker", environment=of_broker, log=log):
            eventually(lambda: bad in ended(redis), 30, "the outcome")
            said(log, "broker.lost")
            rabbit.ctl("import_definitions", str(rabbit.folder / "definitions.json"))
            eventually(lambda: rabbit.depth(DEAD_QUEUE) == 1, 30, "the dead letter")
            eventually(lambda: good in ended(redis), 30, "the other outcome")
        assert rabbit.get(DEAD_QUEUE)[0][0].message_id == bad
    assert "crops.dead takes no dead letter" in log.read_text()
