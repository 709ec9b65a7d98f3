"""Real processes for the benchmark of cameras: cameras on one core, all that follows on another."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.camera_videos import shifted
from tests.benchmarks.drain import busy_ticks, end, processor_s, resident_mb
from tests.servers.ports import eventually, free_port
from tests.servers.processes import ROOT
from worker.settings import SHIPPED_MODEL

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_S = 60.0
#: Cameras whose pictures change at the same moment would not be like real ones.
_VIDEOS = 9


@dataclass(frozen=True, slots=True)
class Load:
    """What was worked on in a window.

    ``kept`` is the worked share of the frames that were asked for, of the camera with the least.
    ``core`` and ``others`` are in cores: the camera process, and programs that have no part in it.
    """

    kept: float
    core: float
    others: float


class CameraProcess:
    """``python -m producer video --cameras-file``; cameras are added by SIGHUP while it runs."""

    def __init__(self, bench: Bench, video: Path, fps: int, folder: Path) -> None:
        self._videos, self._fps = shifted(video, _VIDEOS), fps
        self._bench = bench
        self._file, self._port = folder / "cameras.toml", free_port()
        self._write(1)
        options = ("--cameras-file", str(self._file), "--metrics-port", str(self._port))
        with (folder / "cameras.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "producer", "video", *options],
                cwd=ROOT,
                env={**os.environ, **bench.environment},
                stdout=log,
                stderr=log,
            )
        pin(self.process.pid, {cores()[0]})
        self._wait_for(1)

    def use(self, cameras: int) -> None:
        """Go on with so many cameras; returns when all work."""
        self._write(cameras)
        self.process.send_signal(signal.SIGHUP)
        self._wait_for(cameras)

    def load(self, seconds: float) -> Load:
        """Let it work for a while."""
        own = [self.process.pid, os.getpid()]  # the benchmark's children are its descendants
        frames, spent_s, all_s = self._frames(), processor_s(own[:1]), processor_s(own[1:])
        busy, begun_s = busy_ticks(), time.monotonic()
        time.sleep(seconds)
        worked = [count - frames[name] for name, count in self._frames().items()]
        elapsed_s = time.monotonic() - begun_s
        core = (processor_s(own[:1]) - spent_s) / elapsed_s
        everything = busy_ticks(busy)[0] / _TICKS_PER_S / elapsed_s
        ours = (processor_s(own[1:]) - all_s) / elapsed_s
        kept = min(worked) / (self._fps * elapsed_s)
        return Load(kept, core, max(0.0, everything - ours))

    @property
    def resident_mb(self) -> float:
        """Resident memory in MiB."""
        return resident_mb([self.process.pid])

    def _write(self, cameras: int) -> None:
        lines = ["[defaults]", f"fps = {self._fps}", "loop = true"]
        for i in range(cameras):
            lines += [
                f"[cameras.door-{i}]",
                f"source = {json.dumps(str(self._videos[i % _VIDEOS]))}",
            ]
        self._file.write_text("\n".join(lines) + "\n")

    def _wait_for(self, cameras: int) -> None:
        def all_work() -> bool:
            counts = self._frames()
            return len(counts) == cameras and min(counts.values()) > 0

        eventually(all_work, _START_S, f"{cameras} cameras that work")

    def _frames(self) -> dict[str, int]:
        if self.process.poll() is not None:
            msg = f"the cameras' process ended with {self.process.returncode}"
            raise RuntimeError(msg)
        url = f"http://127.0.0.1:{self._port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, ConnectionError):
            return {}
        prefix = "maskgate_camera_frames_total{"
        found = [line for line in lines if line.startswith(prefix)]
        return {line.split('"')[1]: round(float(line.split()[-1])) for line in found}


@contextmanager
def camera_process(bench: Bench, video: Path, fps: int, folder: Path) -> Iterator[CameraProcess]:
    """Cameras that show ``video``, and a worker with the shipped model."""
    bench.stand.clear()
    others = set(cores()[1:]) or set(cores())
    with (folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            bench.worker(),
            cwd=ROOT,
            env={**os.environ, **bench.environment, "MASKGATE_MODEL_PATH": str(SHIPPED_MODEL)},
            stdout=log,
            stderr=log,
        )
    servers = [server.process for server in (bench.stand.rabbit, bench.stand.redis)]
    for process in (worker, *servers):
        if process is not None:
            pin(process.pid, others)
    cameras = None
    try:
        cameras = CameraProcess(bench, video, fps, folder)
        yield cameras
    finally:
        end([worker, *([cameras.process] if cameras else [])])
        for server in servers:
            if server is not None:
                pin(server.pid, set(cores()))


def cores() -> list[int]:
    """The cores that this process may use: the first is the cameras'."""
    return sorted(os.sched_getaffinity(0))


def pin(pid: int, to: set[int]) -> None:
    """Keep a process, with the threads that it has and those that follow, on these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), to)
