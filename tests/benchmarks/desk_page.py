"""``python -m tests.benchmarks.desk_page``: how fast the desk answers beside a busy site.

So many doors get crops and camera states from a worker's store, and have a month of audit samples
and a day of counted probabilities; two workers show their metrics; browsers hold event streams; one
client loads each page again and again over a kept connection. Then: how long a verdict takes from
its write in Redis to the event at a browser.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from desk.settings import SHIPPED_CARD
from maskgate.protocol.camera_state import CameraCondition, CameraState, SentState
from maskgate.protocol.crop import Label
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import bin_cell, hours_before, scores_key, sum_cell, visits_cell
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.crop_results import audit_result, live_result, write
from tests.desk_site import Browser, Desk, desk
from tests.servers.redis_server import redis_server
from worker.connections import ConnectionState
from worker.operations.health import Health
from worker.operations.metrics import serving
from worker.reporting.stats import STAGES, Stats
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_MODEL = json.loads(SHIPPED_CARD.read_text())["name"]
_DAYS, _DAY_MS = 30, 24 * 3600 * 1000
_SLICES = ("beard", "glasses", "profile", "respirator", "small")
_OUTCOMES = (Outcome.NO_MASK, Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)
_TICKS_S = os.sysconf("SC_CLK_TCK")


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.desk_page", description=__doc__
    )
    parser.add_argument("--doors", type=int, default=200)
    parser.add_argument("--rate", type=float, default=5.0, help="crops a second of each door")
    parser.add_argument("--streams", type=int, default=10, help="browsers that watch")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--pause-ms", type=float, default=20.0, help="between two requests")
    arguments = parser.parse_args(argv)
    cameras = [f"door-{number:03d}" for number in range(arguments.doors)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(redis_server())
        client = stack.enter_context(connect(redis.url, None, name="bench", timeout_s=5))
        site = Site(client, cameras)
        audited(client, cameras)
        scored(client, cameras)
        stack.enter_context(site.busy(arguments.rate))
        workers = [stack.enter_context(metrics_of_a_worker()) for _ in range(2)]
        settings = {"MASKGATE_DESK_WORKERS": ",".join(workers), "MASKGATE_DESK_LOOK_S": "1"}
        page = stack.enter_context(desk(redis.url, folder, settings))
        browser = stack.enter_context(page.browser("viewer"))
        for _ in range(arguments.streams):
            stack.enter_context(watching(page, browser))
        time.sleep(2)
        began_s, cpu_s = time.monotonic(), cpu_of(page)
        paths = {
            "all doors": "/doors",
            "one door": f"/doors/{cameras[0]}",
            "precision": "/precision",
            "throughput": "/throughput",
            "no page at all": "/healthz",
        }
        for name, path in paths.items():
            answers = loads(browser, path, arguments.requests, arguments.pause_ms)
            print(f"{name}: {figures(answers)}")
        share = (cpu_of(page) - cpu_s) / (time.monotonic() - began_s)
        print(f"the desk's CPU: {share:.0%} of a core")
        other = stack.enter_context(page.browser("labeller"))  # its session has no stream yet
        print(f"verdict to event: {figures(site.changes(other))}")
    return 0


def audited(client: Redis, cameras: Sequence[str]) -> None:
    """A month of audit samples, one of each camera a day."""
    numbers = count(1)
    for back in reversed(range(_DAYS)):
        at_ms = now_ms() - back * _DAY_MS
        store = RedisVerdictStore(
            client,
            model=_MODEL,
            ttl_ms=3000,
            max_skew_ms=250,
            history=HistoryBudget(100),
            audit_slices=_SLICES,
            clock=lambda at_ms=at_ms: at_ms,  # type: ignore[misc]
        )
        write(store, [live_result("live", at_ms, camera=camera) for camera in cameras])
        samples = [_sample(next(numbers), camera) for camera in cameras]
        for first in range(0, len(samples), 50):
            write(store, samples[first : first + 50])


def _sample(number: int, camera: str) -> CropResult:
    label = (Label.MASK, Label.NO_MASK)[number % 2]
    outcome = (Outcome.MASK, Outcome.NO_MASK)[(number + (number % 50 == 0)) % 2]
    slice_name = _SLICES[number % len(_SLICES)]
    return audit_result(f"{number:032x}", label, outcome, slice_name, camera=camera)


def scored(client: Redis, cameras: Sequence[str]) -> None:
    """A day of counted probabilities of each camera."""
    for at_ms in hours_before(now_ms(), 24):
        with client.pipeline(transaction=False) as pipe:
            for camera in cameras:
                cells: dict[Any, int] = {
                    bin_cell(_MODEL, 1, Outcome.NO_MASK): 800,
                    sum_cell(_MODEL, Outcome.NO_MASK): 8_000_000,
                    bin_cell(_MODEL, 18, Outcome.MASK): 200,
                    sum_cell(_MODEL, Outcome.MASK): 198_000_000,
                    visits_cell(_MODEL): 100,
                }
                pipe.hset(scores_key(camera, at_ms), mapping=cells)
            pipe.execute()


@contextmanager
def metrics_of_a_worker() -> Iterator[str]:
    """The address of a worker's metrics, whose figures grow."""
    stats, stop = Stats(), threading.Event()
    crops = [live_result(f"{n:032x}", now_ms(), _OUTCOMES[n % 4]) for n in range(100)]

    def run() -> None:
        while not stop.wait(0.1):
            stats.batch(crops, dict.fromkeys(STAGES, 0.001), now_ms())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        health = Health(ConnectionState(stats.registry), 30)
        with serving("127.0.0.1", 0, health, stats.registry) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join()


class Site:
    """Writes what workers write."""

    def __init__(self, client: Redis, cameras: Sequence[str]) -> None:
        self._client, self._cameras = client, cameras
        self._numbers = count(1)
        self._store = RedisVerdictStore(
            client, model=_MODEL, ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(1000)
        )
        client.zadd(CAMERAS_KEY, dict.fromkeys(cameras, now_ms()))
        # A person is a track for a while; each door begins with another one.
        self._visits = {camera: number for number, camera in enumerate(cameras)}

    @contextmanager
    def busy(self, rate: float) -> Iterator[None]:
        """Crops of all doors at this rate each, in batches as a worker has them."""
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                began_s = time.monotonic()
                for first in range(0, len(self._cameras), 20):
                    self._batch(self._cameras[first : first + 20])
                    stop.wait(1 / rate / max(1, len(self._cameras) // 20) / 2)
                stop.wait(max(0.0, 1 / rate - (time.monotonic() - began_s)))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _batch(self, cameras: Sequence[str]) -> None:
        at_ms, states = now_ms(), []
        results = []
        for camera in cameras:
            self._visits[camera] += 1
            visit = self._visits[camera] // 30
            results.append(
                live_result(
                    f"{next(self._numbers):032x}",
                    at_ms,
                    _OUTCOMES[visit % len(_OUTCOMES)],
                    camera=camera,
                    track=f"visit-{visit}",
                )
            )
            if self._visits[camera] % 10 == 0:
                state = CameraState(
                    state=CameraCondition.UP, since_ms=at_ms - 60_000, sent_at_ms=at_ms, fps=5.0
                )
                states.append(SentState(camera, state))
        with self._store.writing(results, states):
            pass
        self._store.heartbeat()

    def changes(self, browser: Browser, times: int = 50) -> list[float]:
        """Milliseconds from the write of a verdict at a quiet door to the event with its row."""
        doors = [f"quiet-{number}" for number in range(times)]
        self._client.zadd(CAMERAS_KEY, dict.fromkeys(doors, now_ms()))
        found: list[float] = []
        with browser.stream("GET", "/doors/events", timeout=20) as events:
            lines = rows_of(events)
            while f"door-{doors[-1]}" not in next(lines):
                pass
            for door in doors:
                began_s = time.perf_counter()
                crop_id = f"{next(self._numbers):032x}"
                write(self._store, [live_result(crop_id, now_ms(), camera=door)])
                while "remove mask" not in next(lines).get(f"door-{door}", ""):
                    pass
                found.append((time.perf_counter() - began_s) * 1000)
        return found


def rows_of(events: httpx.Response) -> Iterator[dict[str, str]]:
    """The changed rows of each event."""
    for line in events.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line[6:]).get("rows", {})


@contextmanager
def watching(page: Desk, browser: Browser) -> Iterator[None]:
    """An event stream that is read in the background, with the browser's session."""
    with (
        Browser(page.url) as client,
        client.stream(
            "GET", "/doors/events", headers={"Cookie": cookie_of(browser)}, timeout=20
        ) as events,
    ):
        stop = threading.Event()
        thread = threading.Thread(target=_read, args=(events, stop.is_set), daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join(5)


def _read(events: httpx.Response, is_over: Callable[[], bool]) -> None:
    with suppress(httpx.HTTPError):  # the desk ends before its browsers
        for _ in events.iter_raw():
            if is_over():
                return


def cookie_of(browser: Browser) -> str:
    """The session's cookie."""
    return f"desk={browser.cookies['desk']}"


def loads(browser: Browser, path: str, times: int, pause_ms: float) -> list[float]:
    """Milliseconds of each load of a page."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        answer = browser.get(path)
        found.append((time.perf_counter() - began_s) * 1000)
        assert answer.status_code == 200, answer.text
        time.sleep(pause_ms / 1000)
    print(f"{path}: {len(answer.content) / 1000:.0f} kB")
    return found


def figures(values: Sequence[float]) -> str:
    """Percentiles in milliseconds."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return f"p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, most {ordered[-1]:.1f} ms"


def cpu_of(page: Desk) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{page.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
