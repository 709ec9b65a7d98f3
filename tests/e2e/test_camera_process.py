"""Cameras as an operator runs them, from a video to the decision that a door reads."""

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from maskgate import Action, Gate
from maskgate.runtime.settings import PREFIX
from producer.scenes.record import film, record
from tests.servers.ports import eventually, free_port
from tests.servers.processes import done, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("installed_detector")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody comes with a mask, and takes it off."""
    path = tmp_path_factory.mktemp("video") / "door.mp4"
    record(film("takes_mask_off", 4), path, fps=10, seconds=8)
    return path


@pytest.fixture
def camera_environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, f"{PREFIX}LOG_JSON": "true"}


def _metric(port: int, name: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith(f"maskgate_camera_{name}{{")]
    return {line.split('camera="')[1].split('"')[0]: float(line.split()[-1]) for line in found}


def test_a_door_reads_decisions_about_the_person_on_a_video(
    camera_environment: dict[str, str], redis: RedisServer, video: Path, tmp_path: Path
) -> None:
    log, environment = tmp_path / "worker.log", camera_environment
    seen: list[Action] = []
    with running("worker", environment=environment, log=log), Gate(redis.url, timeout_s=5) as gate:
        said(log, "broker.connected")
        command = ("producer", "video", str(video), "--camera", "lobby", "--fps", "10", "--loop")
        with running(*command, environment=environment, log=tmp_path / "camera.log"):
            visitors = gate.visitors("lobby")

            def both_decisions() -> bool:
                for visit in visitors.look():
                    if visit.action is not Action.MANUAL and seen[-1:] != [visit.action]:
                        seen.append(visit.action)
                return {Action.REMOVE_MASK, Action.RECOGNISE} <= set(seen)

            eventually(both_decisions, timeout_s=60)

            def counts_faces() -> bool:
                state = gate.camera_state("lobby")
                return state is not None and state.is_up and state.faces > 0

            eventually(counts_faces, timeout_s=30)
    assert seen[:2] == [Action.REMOVE_MASK, Action.RECOGNISE]


def test_a_door_hears_that_its_camera_is_gone(
    camera_environment: dict[str, str], redis: RedisServer, tmp_path: Path
) -> None:
    log, environment = tmp_path / "worker.log", camera_environment
    command = ("producer", "video", f"rtsp://127.0.0.1:{free_port()}/door", "--camera", "lobby")
    with running("worker", environment=environment, log=log), Gate(redis.url, timeout_s=5) as gate:
        said(log, "broker.connected")
        with running(*command, environment=environment, log=tmp_path / "camera.log"):

            def condition() -> str | None:
                state = gate.camera_state("lobby")
                return state.state.value if state else None

            eventually(lambda: condition() == "no_signal", timeout_s=30)
            decision = gate.decision("lobby")
    assert decision.action is Action.MANUAL
    assert "camera" in decision.reason


def test_a_played_file_ends_the_process_with_its_counts(
    camera_environment: dict[str, str], rabbit: RabbitServer, video: Path
) -> None:
    finished = done(
        "producer", "video", str(video), "--camera", "lobby", environment=camera_environment
    )
    assert finished.returncode == 0, finished.stderr
    counts = json.loads(finished.stdout)["cameras"]["lobby"]
    assert counts["crops"] > 10
    assert counts["faces"] == counts["crops"] + sum(counts["held_back"].values())


def test_what_is_no_video_ends_the_process_with_its_reason(
    camera_environment: dict[str, str], rabbit: RabbitServer, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    finished = done("producer", "video", str(tmp_path / "text.mp4"), environment=camera_environment)
    assert finished.returncode == 69
    assert "not a video" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_cameras_come_and_go_with_their_file(
    camera_environment: dict[str, str], rabbit: RabbitServer, video: Path, tmp_path: Path
) -> None:
    file, log, port = tmp_path / "cameras.toml", tmp_path / "camera.log", free_port()
    lobby = f'[cameras.lobby]\nsource = "{video}"\nloop = true\n'
    file.write_text(lobby)
    command = ("producer", "video", "--cameras-file", str(file), "--metrics-port", str(port))
    with running(*command, environment=camera_environment, log=log) as process:
        eventually(lambda: log.is_file() and "cameras.applied" in log.read_text(), timeout_s=30)
        eventually(lambda: _metric(port, "up") == {"lobby": 1}, timeout_s=30)
        file.write_text(lobby + lobby.replace("lobby", "yard"))
        os.kill(process.pid, signal.SIGHUP)
        eventually(lambda: _metric(port, "up") == {"lobby": 1, "yard": 1}, timeout_s=30)
        file.write_text("[cameras.lobby]\nsauce = 1\n")
        os.kill(process.pid, signal.SIGHUP)
        said(log, "cameras.invalid")
        assert len(_metric(port, "up")) == 2, "an invalid file changes nothing"
        file.write_text(lobby.replace("lobby", "yard"))
        os.kill(process.pid, signal.SIGHUP)
        eventually(lambda: set(_metric(port, "up")) == {"yard"}, timeout_s=30)
        eventually(lambda: _metric(port, "crops_total")["yard"] > 0, timeout_s=30)


def test_a_check_says_what_it_would_connect_to(
    camera_environment: dict[str, str], video: Path
) -> None:
    finished = done(
        "producer", "video", "rtsp://10.0.0.5/stream", "--check", environment=camera_environment
    )
    assert finished.returncode == 0, finished.stderr
    assert "rtsp://10.0.0.5/stream" in finished.stdout
    refused = done(
        "producer", "video", "rtsp://u:geheim@10.0.0.5/", "--check", environment=camera_environment
    )
    assert refused.returncode == 78
    assert "geheim" not in refused.stdout + refused.stderr
