"""Throughput, processor time and memory of the worker as shipped.

It is compared to its upper limits (the in-process loop and the ack-only consumer) and to peers.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from maskgate.inference.image import JPEG, PPM
from tests.benchmarks.bench import DELIVERY, PEERS, Bench
from tests.benchmarks.drain import Drained
from tests.benchmarks.figures import alternately, ratios
from tests.servers.ports import eventually
from tests.servers.processes import ROOT

_NAMES = {JPEG: "112 × 112 colour JPEG", PPM: "28 × 28 PPM"}
LOOP, ACK, SHIPPED = "in-process loop", "ack-only consumer", "maskgate worker"


def against_everybody(bench: Bench) -> None:
    """Measure upper limits, worker and peers alternately, for JPEG and PPM."""
    _against(
        bench,
        JPEG,
        count=4000 if bench.quick else 12_000,
        peers=["celery"] if bench.quick else list(PEERS),
    )
    _against(
        bench,
        PPM,
        count=9000 if bench.quick else 19_000,
        peers=[] if bench.quick else ["naive_pika", "tuned_pika", "celery"],
    )


def _against(bench: Bench, content_type: str, *, count: int, peers: Sequence[str]) -> None:
    name, for_peers = _NAMES[content_type], 500 if bench.quick else 2500
    bench.tell(f"{name}: ceilings, worker, peers")
    rates: dict[str, list[float]] = {}
    drained: dict[str, list[Drained]] = {}

    def rate(what: str, value: float) -> None:
        rates.setdefault(what, []).append(value)

    def drains(what: str, found: Drained) -> None:
        drained.setdefault(what, []).append(found)
        rate(what, found.per_s)

    def peer(what: str) -> Callable[[], None]:
        return lambda: drains(what, bench.peer(what, content_type, for_peers))

    subjects: dict[str, Callable[[], None]] = {
        LOOP: lambda: rate(LOOP, bench.loop(content_type, 1 if bench.quick else 2)),
        SHIPPED: lambda: drains(SHIPPED, bench.shipped(content_type, count)),
        **{what: peer(what) for what in peers},
    }
    if not bench.quick:
        subjects[ACK] = lambda: rate(ACK, bench.ack_only(content_type, count))
    alternately(bench.rounds, subjects, bench.tell)
    results = bench.results
    results.table(f"{name}: throughput", "crops/s", rates, reference=LOOP, note=DELIVERY)
    results.table(
        f"{name}: processor time",
        "µs a crop",
        {what: [d.cpu_us for d in own] for what, own in drained.items()},
        reference=SHIPPED,
        note=DELIVERY,
    )
    results.table(
        f"{name}: resident memory",
        "MiB",
        {what: [d.resident_mb for d in own] for what, own in drained.items()},
        note=f"Of all processes of the consumer, each with its own packages only. {DELIVERY}",
    )
    own = drained[SHIPPED]
    servers = {
        "RabbitMQ, delivering": [d.broker_us for d in own],
        "Redis": [d.redis_us for d in own],
    }
    results.table(
        f"{name}: processor time of the servers",
        "µs a crop",
        servers,
        note="while the maskgate worker empties the queue",
    )
    wanted = {
        JPEG: {LOOP: 0.75, "celery": 8, "dramatiq": 5, "faststream": 5, "naive_pika": 3.5},
        PPM: {LOOP: 0.80, "celery": 12},
    }
    for other, at_least in wanted[content_type].items():
        if other in rates:
            results.claim(
                f"{name}: worker's rate to {other}'s",
                ratios(rates[SHIPPED], rates[other]),
                at_least=at_least,
            )
    if content_type == JPEG and "celery" in drained:
        cpu = ratios([d.cpu_us for d in own], [d.cpu_us for d in drained["celery"]])
        results.claim(f"{name}: worker's processor time to celery's", cpu, at_most=0.1)


def by_stage(bench: Bench) -> None:
    """Measure the worker's processor time by stage."""
    for content_type, count in ((JPEG, 8000), (PPM, 16_000)):
        bench.tell(f"{_NAMES[content_type]}: by stage")
        spent = alternately(
            bench.rounds, {"worker": partial(_staged, bench, content_type, count)}, bench.tell
        )["worker"]
        stages = {stage: [one[stage] for one in spent] for stage in spent[0]}
        note = (
            "receive, read and ack are the broker's side; "
            "classify is validation and decoding; count is logs and metrics"
        )
        bench.results.table(
            f"{_NAMES[content_type]}: the worker by stage", "µs a crop", stages, note=note
        )


def _staged(bench: Bench, content_type: str, count: int) -> dict[str, float]:
    bench.stand.clear()
    bench.stand.fill_with_crops(count, content_type)
    command = [sys.executable, "-m", "tests.benchmarks.staged_worker"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **bench.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    begun_s = time.monotonic()
    with bench.stand.redis.client() as client:
        eventually(
            lambda: sum(client.xlen(f"verdicts:{{door-{i}}}") for i in range(4)) >= count,
            60,
            f"{count} verdicts",
        )
    bench.tell(f"    {time.monotonic() - begun_s:.1f} s")
    process.send_signal(signal.SIGTERM)
    reported = json.loads(process.communicate(timeout=30)[0].splitlines()[-1])
    return {
        stage: seconds / reported["crops"] * 1e6 for stage, seconds in reported["spent_s"].items()
    }


def variations(bench: Bench) -> None:
    """Measure two workers and a classic queue against one worker on a quorum queue."""
    one, two, classic = (
        "quorum queue, 1 worker",
        "quorum queue, 2 workers",
        "classic queue, 1 worker",
    )
    for content_type, count in ((JPEG, 10_000), (PPM, 19_000)):
        bench.tell(f"{_NAMES[content_type]}: replicas and queue types")
        kinds = {one: ("quorum", 1), two: ("quorum", 2), classic: ("classic", 1)}
        subjects = {
            name: partial(_on_queue, bench, kind, content_type, count, replicas)
            for name, (kind, replicas) in kinds.items()
        }
        found = alternately(bench.rounds, subjects, bench.tell)
        bench.stand.use_queue("quorum")
        rates = {name: [d.per_s for d in own] for name, own in found.items()}
        bench.results.table(
            f"{_NAMES[content_type]}: queue types and replicas", "crops/s", rates, reference=one
        )
        bench.results.claim(
            f"{_NAMES[content_type]}: two workers to one",
            ratios(rates[two], rates[one]),
            at_least=1.5,
        )


def _on_queue(bench: Bench, kind: str, content_type: str, count: int, replicas: int) -> Drained:
    bench.stand.use_queue(kind)
    return bench.shipped(content_type, count, replicas=replicas)


def ppm_to_jpeg(bench: Bench) -> None:
    """Measure thumbnails and whole crops alternately."""
    counts = {JPEG: 5000, PPM: 10_000} if bench.quick else {JPEG: 10_000, PPM: 19_000}
    found = alternately(
        bench.rounds,
        {kind: partial(bench.shipped, kind, n) for kind, n in counts.items()},
        bench.tell,
    )
    rates = {kind: [d.per_s for d in own] for kind, own in found.items()}
    bench.results.claim(
        "28 × 28 PPM's rate to JPEG's", ratios(rates[PPM], rates[JPEG]), at_least=1.4
    )
