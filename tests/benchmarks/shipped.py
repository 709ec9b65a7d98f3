"""The worker with the shipped model: crops/s, memory, and the time until it is ready.

All other benchmarks of the worker use the thumbnail network.
"""

import os
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial

from maskgate.inference.image import JPEG
from tests.benchmarks.bench import Bench
from tests.benchmarks.drain import Drained, end
from tests.benchmarks.figures import Spread, alternately
from tests.servers.ports import eventually, free_port
from tests.servers.processes import ROOT
from worker.settings import SHIPPED_MODEL

_COUNT = 4000
_MODEL = {"MASKGATE_MODEL_PATH": str(SHIPPED_MODEL)}
_MIB_AT_MOST, _READY_S_AT_MOST = 160, 1.5


def shipped_model(bench: Bench) -> None:
    """Compare it to the same worker with the thumbnail network."""
    bench.tell("the shipped model")
    subjects = {
        "the shipped model": partial(bench.shipped, JPEG, _COUNT, settings=_MODEL),
        "the thumbnail network": partial(bench.shipped, JPEG, _COUNT),
    }
    found: dict[str, list[Drained]] = alternately(bench.rounds, subjects, bench.tell)
    rates = {name: [d.per_s for d in own] for name, own in found.items()}
    note = "one worker, 112 × 112 colour JPEG"
    bench.results.table(
        "The shipped model: throughput",
        "crops/s",
        rates,
        reference="the thumbnail network",
        note=note,
    )
    resident = Spread.of([d.resident_mb for d in found["the shipped model"]])
    bench.results.claim("shipped model: resident memory, MiB", resident, at_most=_MIB_AT_MOST)
    ready = Spread.of([_ready_s(bench) for _ in range(bench.rounds)])
    bench.results.claim("shipped model: from start to ready, s", ready, at_most=_READY_S_AT_MOST)


def _ready_s(bench: Bench) -> float:
    port = free_port()
    begun_s = time.perf_counter()
    command = bench.worker("--metrics-port", str(port))
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **bench.environment, **_MODEL},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _is_ready(port), 30, "/readyz")
        return time.perf_counter() - begun_s
    finally:
        end([process])


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
