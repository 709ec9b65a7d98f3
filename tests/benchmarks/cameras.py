"""Cameras: streams on one core, time by stage, frame to verdict, memory of a camera.

The streams are files of 25 frames/s that are played at their own speed in one camera process, which
is kept on one core; worker, RabbitMQ and Redis have the others. A person is in the picture, so that
faces are looked for on every frame that is worked on.

``python -m tests.benchmarks.cameras [--quick] [--out DIR]``
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from maskgate.protocol.verdict import history_key
from tests.benchmarks.bench import Bench
from tests.benchmarks.camera_rig import CameraProcess, Load, camera_process
from tests.benchmarks.camera_stages import stages
from tests.benchmarks.camera_videos import SIZES, video
from tests.benchmarks.drain import end
from tests.benchmarks.figures import Results, Spread, alternately
from tests.benchmarks.machine import machine
from tests.benchmarks.report import markdown, write
from tests.benchmarks.stand import stand
from tests.servers.processes import ROOT

#: A core keeps up if each camera's frames are worked on to this part.
_KEPT = 0.95
_SETTLE_S = 1.5
_WANTED, _WANTED_P99_MS = 8, 150
#: A face is sent when it is confirmed; the first crops of a track wait for that on purpose.
_CONFIRMED_MS = 300


def cameras(bench: Bench) -> None:
    """Measure at 640 × 480 and at 1080p; quick: at 640 × 480 and 5 frames a second only."""
    with tempfile.TemporaryDirectory() as name:
        folder, small = Path(name), next(iter(SIZES))
        for size in (small,) if bench.quick else SIZES:
            _stages(bench, size, video(size, folder))
        found = {}
        for size in (small,) if bench.quick else SIZES:
            for fps in (5,) if bench.quick else (5, 10):
                bench.tell(f"cameras: {size}, {fps} detections a second")
                with camera_process(bench, video(size, folder), fps, folder) as process:
                    if (size, fps) == (small, 5):
                        _up_to_eight(bench, process)
                    found[f"{size}, {fps} detections a second"] = _most(bench, process)
    _tabulate(bench, found)


def _stages(bench: Bench, size: str, path: Path) -> None:
    bench.tell(f"cameras: stages at {size}")
    measure = {size: lambda: stages(path, bench.stand.rabbit.url)}
    rounds = alternately(1 if bench.quick else min(3, bench.rounds), measure, bench.tell)[size]
    bench.results.table(
        f"Cameras, {size}: processor time by stage",
        "µs each time",
        {stage: [one[stage] for one in rounds] for stage in rounds[0]},
        note="one stream, one thread; all but decoding is done for the frames worked on, "
        "or for each face",
    )


def _up_to_eight(bench: Bench, process: CameraProcess) -> None:
    """Latency and memory with few cameras."""
    seconds = 4 if bench.quick else 12
    took_ms: dict[int, list[float]] = {}
    resident_mb: dict[int, float] = {}
    for count in (1, _WANTED) if bench.quick else (1, 4, _WANTED):
        process.use(count)
        time.sleep(_SETTLE_S)
        with _reader(bench, count) as found_ms:
            load = process.load(seconds)
        took_ms[count], resident_mb[count] = found_ms, process.resident_mb
        bench.tell(f"  {count} cameras, {len(found_ms)} verdicts: {_told(load)}")
    note = (
        "from the capture time of a frame, when the file shows it, until a client that blocks on "
        "the history stream has the verdict; 5 detections a second, 640 × 480; without the crops "
        "of a track's first 300 ms, which are held back until the face is confirmed"
    )
    for name, q in {"p50": 50, "p99": 99}.items():
        values = {
            f"{count} cameras": [float(np.percentile(took_ms[count], q))] for count in took_ms
        }
        bench.results.table(f"Cameras: frame to verdict, {name}", "ms", values, note=note)
    p99_ms = float(np.percentile(took_ms[_WANTED], 99))
    bench.results.claim(
        f"{_WANTED} cameras on one core: frame to verdict, p99, ms",
        Spread.of([p99_ms]),
        at_most=_WANTED_P99_MS,
    )
    more_mb = (resident_mb[_WANTED] - resident_mb[1]) / (_WANTED - 1)
    bench.results.table(
        "Cameras: resident memory",
        "MiB",
        {
            "the process with 1 camera": [resident_mb[1]],
            f"the process with {_WANTED} cameras": [resident_mb[_WANTED]],
            "each further camera": [more_mb],
        },
        note="640 × 480",
    )


def _most(bench: Bench, process: CameraProcess) -> tuple[int, float, float]:
    """The most cameras that keep up, the cores that one takes, and those of other programs."""
    seconds = 3 if bench.quick else 5
    process.use(2)
    time.sleep(_SETTLE_S)
    each = process.load(seconds).core / 2
    count = max(1, int(0.9 / each))
    best, others = 0, []
    failed = count + 100
    while best + 1 < failed:
        load = _tried(process, count, seconds)
        others.append(load.others)
        bench.tell(f"  {count} cameras: {_told(load)}")
        if load.kept >= _KEPT:
            best, each = count, load.core / count
            count = min(count + max(1, count // 8), failed - 1)
        else:
            failed = count
            count = max(best + 1, count - max(1, count // 8))
            if failed == 1:
                break
    return best, each, max(others)


def _tried(process: CameraProcess, count: int, seconds: float) -> Load:
    """One attempt, and a second one: something else may have had the core for a moment."""
    process.use(count)
    time.sleep(_SETTLE_S)
    load = process.load(seconds)
    return load if load.kept >= _KEPT else process.load(seconds)


def _told(load: Load) -> str:
    return (
        f"{load.kept:.0%} of the frames, {load.core:.2f} of the core; "
        f"other programs: {load.others:.2f} cores"
    )


@contextmanager
def _reader(bench: Bench, count: int) -> Iterator[list[float]]:
    """Fills the list, at the end, with the ms from a frame to its readable verdict."""
    with bench.stand.redis.client() as client:
        client.flushall()
        reading = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.reader", str(count)],
            cwd=ROOT,
            env={**os.environ, **bench.environment},
            stdout=subprocess.PIPE,
        )
        found_ms: list[float] = []
        try:
            if reading.stdout is None or reading.stdout.readline() != b"ready\n":
                msg = "the reader did not start"
                raise RuntimeError(msg)
            yield found_ms
            reading.terminate()
            seen_ns = json.loads(reading.communicate(timeout=30)[0])
            captured_ms: dict[str, int] = {}
            for i in range(count):
                captured_ms.update(_captured_ms(client, f"door-{i}"))
        finally:
            end([reading])
        wall_ms = time.time() * 1000 - time.monotonic_ns() / 1e6
        found_ms += [
            wall_ms + at_ns / 1e6 - captured_ms[crop_id]
            for crop_id, at_ns in seen_ns.items()
            if crop_id in captured_ms
        ]


def _captured_ms(client: Any, camera_id: str) -> dict[str, int]:
    """The capture time of each crop, without those that wait until their face is confirmed."""
    begun_ms: dict[str, int] = {}
    found: dict[str, int] = {}
    for _, fields in client.xrange(history_key(camera_id)):
        crop_id, track_id, captured_ms = (
            fields["crop_id"],
            fields["track_id"],
            int(fields["captured_at"]),
        )
        if captured_ms - begun_ms.setdefault(track_id, captured_ms) >= _CONFIRMED_MS:
            found[crop_id] = captured_ms
    return found


def _tabulate(bench: Bench, found: dict[str, tuple[int, float, float]]) -> None:
    others = max(own[2] for own in found.values())
    note = (
        f"one process; at least {_KEPT:.0%} of each camera's frames are worked on; one run; "
        f"meanwhile other programs took up to {others:.1f} of {os.cpu_count()} cores"
    )
    streams = {name: [float(own[0])] for name, own in found.items()}
    bench.results.table("Cameras: streams on one core", "cameras", streams, note=note)
    whole = {name: [_KEPT / own[1]] for name, own in found.items()}
    bench.results.table(
        "Cameras: streams on a core that nobody else uses",
        "cameras",
        whole,
        note="calculated from the processor time of one camera while a core served the most",
    )
    each = {name: [100 * own[1]] for name, own in found.items()}
    bench.results.table("Cameras: processor time of one camera", "% of a core", each, note=note)
    first = next(iter(found.values()))
    bench.results.claim(
        "cameras of 640 × 480 at 5 detections a second on one core",
        Spread.of([float(first[0])]),
        at_least=_WANTED,
    )


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cameras")
    parser.add_argument("--quick", action="store_true", help="640 × 480 at 5 frames a second only")
    parser.add_argument("--out", type=Path, default=Path("runs/cameras"))
    arguments = parser.parse_args(argv)
    with stand() as place:
        bench = Bench(place, Results(1, machine(place)), arguments.quick)
        cameras(bench)
        write(bench.results, arguments.out)
    print(markdown(bench.results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
