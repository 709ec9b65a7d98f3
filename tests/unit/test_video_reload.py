"""Cameras that come, change and go while the process runs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from maskgate.protocol.errors import BrokerError
from producer.video.camera_config import CameraConfig
from producer.video.reload import Reload, RunningCameras


class Cameras:
    """Records what was started and stopped; those of ``broken`` don't start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.running = RunningCameras(path, self._start, self._stop)

    def write(self, **sources: str) -> None:
        tables = (f'[cameras.{name}]\nsource = "{at}"\n' for name, at in sources.items())
        self.path.write_text("".join(tables))

    def _start(self, camera: str, config: CameraConfig) -> None:
        if camera in self.broken:
            msg = "no such user"
            raise BrokerError(msg)
        self.calls.append(f"start {camera} {config.source}")

    def _stop(self, camera: str) -> None:
        self.calls.append(f"stop {camera}")

    def reloaded(self) -> list[str]:
        self.calls = []
        self.running.reload()
        return self.calls


@pytest.fixture
def cameras(tmp_path: Path) -> Cameras:
    return Cameras(tmp_path / "cameras.toml")


def test_only_the_difference_is_applied_and_nothing_runs_twice(cameras: Cameras) -> None:
    cameras.write(lobby="a", yard="b", cellar="c")
    assert cameras.reloaded() == ["start lobby a", "start yard b", "start cellar c"]
    assert cameras.reloaded() == []
    cameras.write(attic="d", yard="B", lobby="a")
    assert cameras.reloaded() == ["stop cellar", "stop yard", "start yard B", "start attic d"]
    assert sorted(cameras.running.ids) == ["attic", "lobby", "yard"]


def test_an_invalid_file_is_logged_and_changes_nothing(cameras: Cameras) -> None:
    cameras.write(lobby="a")
    cameras.reloaded()
    for text in ("[cameras.lobby]\nsorce = 'a'\n", "", "[cameras"):
        cameras.path.write_text(text)
        with capture_logs() as logs:
            assert not cameras.running.reload()
        assert [line["event"] for line in logs] == ["cameras.invalid"]
        assert str(cameras.path) in logs[0]["error"]
    cameras.path.unlink()
    assert not cameras.running.reload()
    assert cameras.running.ids == ["lobby"]
    cameras.write(lobby="b")
    assert cameras.reloaded() == ["stop lobby", "start lobby b"]


def test_a_camera_that_does_not_start_stops_no_other_and_is_tried_again(cameras: Cameras) -> None:
    cameras.broken = {"yard"}
    cameras.write(yard="b", lobby="a")
    with capture_logs() as logs:
        assert cameras.reloaded() == ["start lobby a"]
    assert logs[0]["event"] == "camera.not_started"
    assert (logs[0]["camera_id"], logs[0]["error"]) == ("yard", "no such user")
    cameras.broken = set()
    assert cameras.reloaded() == ["start yard b"]


def test_all_cameras_stop(cameras: Cameras) -> None:
    cameras.write(lobby="a", yard="b")
    cameras.reloaded()
    cameras.running.stop()
    assert cameras.calls[2:] == ["stop lobby", "stop yard"]
    assert not cameras.running.ids


@pytest.fixture
def reload() -> Iterator[Reload]:
    before = signal.getsignal(signal.SIGHUP)
    yield Reload.on_signal()
    signal.signal(signal.SIGHUP, before)


def test_the_signal_requests_one_reload(reload: Reload) -> None:
    assert not reload.taken()
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    assert reload.taken()
    assert not reload.taken()
