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
from pathlib import Path

import httpx
from redis import Redis

from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.benchmarks.busy_site import Site, audited, metrics_of_a_worker, scored
from tests.desk_site import Browser, Desk, desk
from tests.servers.redis_server import redis_server

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
        print(f"verdict to event: {figures(changes(client, site, other))}")
    return 0


def changes(client: Redis, site: Site, browser: Browser, times: int = 50) -> list[float]:
    """Milliseconds from the write of a verdict at a quiet door to the event with its row."""
    doors = [f"quiet-{number}" for number in range(times)]
    client.zadd(CAMERAS_KEY, dict.fromkeys(doors, now_ms()))
    found: list[float] = []
    with browser.stream("GET", "/doors/events", timeout=20) as events:
        lines = rows_of(events)
        while f"door-{doors[-1]}" not in next(lines):
            pass
        for door in doors:
            began_s = time.perf_counter()
            site.adds(door)
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
