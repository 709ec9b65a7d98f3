"""The real compose file; skipped where there is no Docker engine."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from producer.video.detection.blazeface import SHA256
from producer.video.detection.places import FILE_NAME
from tests.servers import docker_engine
from tests.servers.ports import eventually

ROOT = Path(__file__).parent.parent.parent
PROJECT = "maskgate-test"
#: Set it to test the profile of cameras too.
WITH_CAMERAS = "MASKGATE_TEST_CAMERAS_PROFILE"
PYTHON = ["/venv/bin/python", "-P", "-m"]
IN_REDIS = """
import pathlib, redis, sys
password = pathlib.Path("/run/maskgate/redis").read_text()
gate = redis.Redis.from_url("redis://gate@redis:6379/0", password=password, decode_responses=True)
"""

#: Prints what is decided about people at the filmed camera, until both decisions were seen.
PEOPLE = """
from maskgate import Gate
seen = set()
with Gate("redis://gate@redis:6379/0", password) as door:
    for people in door.visits("entrance", every_s=1):
        seen |= {person.action for person in people}
        if {"recognise", "remove_mask"} <= seen:
            break
print(*sorted(seen - {"manual"}))
"""
METRICS = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9100/metrics", timeout=5).read().decode())
"""

pytestmark = pytest.mark.timeout(900)


class Compose:
    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**os.environ, **environment}

    def __call__(
        self, *arguments: str, timeout_s: float = 600
    ) -> "subprocess.CompletedProcess[str]":
        command = ["docker", "compose", "-p", PROJECT, *arguments]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def as_gate(self, program: str, timeout_s: float = 600) -> str:
        """Run Python in the gate's container; ``gate`` is a Redis client with the gate's rights."""
        command = ["exec", "-T", "gate", "/venv/bin/python", "-c", IN_REDIS + program]
        ended = self(*command, timeout_s=timeout_s)
        return ended.stdout + ended.stderr

    def ends(self, camera: str) -> set[str]:
        program = (
            f"print(*(fields['crop_id'] for _, fields in gate.xrange('verdicts:{{{camera}}}')))"
        )
        return set(self.as_gate(program).split())


@contextmanager
def every_core_busy() -> Iterator[None]:
    """One process for each core that does nothing else but take it."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    compose = Compose(docker_engine.environment())
    built = compose("build")
    assert built.returncode == 0, built.stderr[-3000:]
    try:
        with every_core_busy():
            up = compose("up", "--wait", "--scale", "worker=4")
        assert up.returncode == 0, up.stderr[-3000:]
        yield compose
    finally:
        compose("--profile", "cameras", "down", "-v", "--timeout", "10")


@pytest.fixture(scope="module")
def filmed(compose: Compose) -> Iterator[Compose]:
    """With the profile of cameras; nothing that runs is made anew."""
    if not os.environ.get(WITH_CAMERAS):
        pytest.skip(
            f"builds two images, one with GStreamer, in about 2.5 minutes: set {WITH_CAMERAS}=1"
        )
    built = compose("--profile", "cameras", "build", "rtsp", "camera")
    assert built.returncode == 0, built.stderr[-3000:]
    up = compose("--profile", "cameras", "up", "--wait", "--no-recreate", "rtsp", "camera")
    assert up.returncode == 0, up.stderr[-3000:]
    yield compose
    compose("--profile", "cameras", "stop", "rtsp", "camera")


def camera_metrics(compose: Compose) -> dict[str, float]:
    """The figures of the filmed camera, without those that have a reason."""
    answer = compose("exec", "-T", "camera", "/venv/bin/python", "-c", METRICS).stdout
    named = re.findall(r'^maskgate_camera_(\w+)\{camera="entrance"\} (\S+)$', answer, re.MULTILINE)
    return {name: float(value) for name, value in named}


def test_all_services_come_up_on_a_busy_machine_and_the_gate_reads_verdicts(
    compose: Compose,
) -> None:
    states = [json.loads(line) for line in compose("ps", "--format", "json").stdout.splitlines()]
    assert len([s for s in states if s["Service"] == "worker"]) == 4
    assert {s["Service"] for s in states if s["Health"] == "healthy"} == {
        "rabbitmq",
        "redis",
        "worker",
    }
    asked = compose("exec", "-T", "gate", "/venv/bin/python", "-m", "maskgate", "alive")
    assert (asked.returncode, asked.stdout) == (0, "a worker is at work\n"), asked.stderr
    decided = eventually(
        lambda: (
            (
                reported := compose(
                    "exec", "-T", "gate", "/venv/bin/python", "-m", "maskgate", "wait", "lobby"
                )
            ).returncode
            in (0, 10)
            and reported
        ),
        30,
        "a decision for the drawn faces",
    )
    assert decided
    assert json.loads(decided.stdout)["verdict"]["crop_id"]


@pytest.mark.parametrize(
    "command",
    [
        "gate.set('verdict:{lobby}', 'x')",
        "gate.publish('verdicts:{lobby}', 'x')",
        "gate.keys('*')",
        "gate.get('audit:{m}')",
    ],
)
def test_the_gate_may_only_read_verdicts(compose: Compose, command: str) -> None:
    assert "NoPermissionError" in compose.as_gate(command)


def test_a_camera_reaches_no_metrics(compose: Compose) -> None:
    """At none of a worker's addresses; the gate, on another network, does."""
    program = """
import socket, sys
for host in sys.argv[1:]:
    try:
        socket.create_connection((host, 9100), timeout=1).close()
        print("open")
    except OSError:
        print("closed")
"""
    worker = compose("ps", "-q", "worker").stdout.split()[0]
    found = subprocess.run(
        ["docker", "inspect", worker],
        env=compose.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    networks = json.loads(found.stdout)[0]["NetworkSettings"]["Networks"].values()
    hosts = [network["IPAddress"] for network in networks]
    asked = {
        service: compose(
            "exec", "-T", service, "/venv/bin/python", "-c", program, *hosts
        ).stdout.split()
        for service in ("producer", "gate")
    }
    assert asked["producer"] == ["closed"] * len(hosts)
    assert "open" in asked["gate"]


def test_a_camera_that_films_people_over_rtsp_gets_both_decisions_about_them(
    filmed: Compose,
) -> None:
    assert filmed.as_gate(PEOPLE, timeout_s=90) == "recognise remove_mask\n"
    figures = camera_metrics(filmed)
    assert figures["up"] == 1
    assert min(figures["frames_total"], figures["faces_total"], figures["crops_total"]) > 0


def test_the_filmed_camera_speaks_for_no_other_door(filmed: Compose) -> None:
    """With its own password it is refused as the camera ``lobby``: exit code 78."""
    command = ["video", "rtsp://rtsp:8554/door", "--camera=lobby", "--metrics-port=0"]
    asked = filmed("exec", "-T", "camera", *PYTHON, "producer", *command, timeout_s=60)
    assert asked.returncode == 78, asked.stderr[-1000:]
    assert "lobby" in asked.stdout + asked.stderr


def test_the_cameras_image_holds_its_role_and_the_detector(filmed: Compose, tmp_path: Path) -> None:
    asked = ["sh", "deploy/image-files", "camera", str(tmp_path)]
    subprocess.run(asked, cwd=ROOT, check=True, capture_output=True)
    wanted = {
        f"/app/{path.relative_to(tmp_path)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    listed = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh"]
    listed += ["maskgate-camera", "-c", "find /app -type f -exec sha256sum {} +"]
    found = subprocess.run(
        listed, env=filmed.environment, check=True, capture_output=True, text=True
    )
    lines = (line.split("  ", 1) for line in found.stdout.splitlines())
    assert {path: digest for digest, path in lines} == wanted | {
        f"/app/deploy/model/{FILE_NAME}": SHA256
    }


def test_a_killed_replica_under_load_loses_no_crop(compose: Compose) -> None:
    registered = compose("run", "--rm", "-T", "admin", "camera", "add", "kill")
    assert registered.returncode == 0, registered.stderr
    load = [
        *("run", "--rm", "-T", "-v", f"{PROJECT}_secrets-cameras:/cameras:ro"),
        *("-e", "MASKGATE_BROKER_URL=amqp://camera-kill@rabbitmq:5672/%2F"),
        *("-e", "MASKGATE_BROKER_PASSWORD_FILE=/cameras/kill/broker"),
        "producer",
        "producer",
        "synthetic",
        "--camera",
        "kill",
        "--rate",
        "400",
        "--limit",
        "4000",
        "--loop",
        "--faces",
        "32",
    ]
    with subprocess.Popen(
        ["docker", "compose", "-p", PROJECT, *load],
        cwd=ROOT,
        env=compose.environment,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as producer:
        eventually(lambda: len(compose.ends("kill")) > 400, 60, "400 outcomes")
        victim = compose("ps", "-q", "worker").stdout.split()[0]
        subprocess.run(
            ["docker", "kill", "-s", "KILL", victim],
            env=compose.environment,
            check=True,
            capture_output=True,
        )
        out, _ = producer.communicate(timeout=120)
    accepted = json.loads(out.splitlines()[-1])["live"]["accepted"]
    assert accepted > 3000
    eventually(lambda: len(compose.ends("kill")) == accepted, 60, f"{accepted} outcomes")


def test_stopped_workers_exit_0(compose: Compose) -> None:
    before_s = time.monotonic()
    compose("stop", "worker")
    assert time.monotonic() - before_s < 30
    states = [
        json.loads(line)
        for line in compose("ps", "-a", "--format", "json", "worker").stdout.splitlines()
    ]
    assert sorted(state["ExitCode"] for state in states) == [0, 0, 0, 137]
