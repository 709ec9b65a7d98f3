"""The time from publishing a crop until its verdict is readable, at a steady rate.

maskgate's worker, as shipped, and a naive pika consumer are measured alternately.
"""

import json
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np

from maskgate.inference.image import JPEG
from maskgate.protocol.crop import to_message
from maskgate.protocol.topology import LIVE_BINDING, LIVE_EXCHANGE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.benchmarks.bench import PEERS, Bench
from tests.benchmarks.drain import busy_ticks, end
from tests.benchmarks.figures import Spread, alternately, ratios
from tests.benchmarks.peers import naive_pika
from tests.benchmarks.stand import crops
from tests.servers.ports import eventually
from tests.servers.processes import ROOT

_CAMERAS = 4
_PERCENTILES = {"p50": 50, "p99": 99, "p99.9": 99.9}
_WARM_S = 1.0
_TICK_S = 0.001
_BUSY = "busy"
SHIPPED, NAIVE = "maskgate worker", "naive_pika"
#: For a fair comparison: a classic queue delivers messages before they are on disk, a quorum
#: queue only afterwards.
NAIVE_QUORUM = "naive_pika, quorum queue"
_QUEUES = {SHIPPED: LIVE_QUEUE, NAIVE: naive_pika.QUEUE, NAIVE_QUORUM: naive_pika.QUORUM_QUEUE}


def latencies(bench: Bench) -> None:
    """Measure latency at 20 crops/s, at 500 crops/s and at half of each consumer's capacity."""
    if bench.quick:  # too few crops for a tail percentile
        _at(bench, "20 crops/s", {SHIPPED: 20, NAIVE: 20}, 2, {"p50": 1.25})
        return
    _at(
        bench,
        "20 crops/s",
        {SHIPPED: 20, NAIVE: 20, NAIVE_QUORUM: 20},
        30,
        {"p50": 1.25, "p99": 1.25},
    )
    _at(bench, "500 crops/s", {SHIPPED: 500, NAIVE: 500}, 8, {"p99": 1.0})
    capacities = {
        SHIPPED: bench.shipped(JPEG, 8000).per_s,
        NAIVE: bench.peer(NAIVE, JPEG, 1500).per_s,
    }
    half = {name: rate / 2 for name, rate in capacities.items()}
    reported = ", ".join(f"{name} {rate:.0f}/s" for name, rate in half.items())
    found = _at(bench, f"half of what each can do ({reported})", half, 8, {})
    bench.results.claim(
        "half of its capacity: worker's p99, ms",
        Spread.of([one["p99"] for one in found[SHIPPED]]),
        at_most=25,
    )


def _at(
    bench: Bench, what: str, rates: dict[str, float], seconds: float, at_most: dict[str, float]
) -> dict[str, list[dict[str, float]]]:
    bench.tell(f"latency at {what}")
    found = alternately(
        bench.rounds,
        {name: partial(_round, bench, name, rate, seconds) for name, rate in rates.items()},
        bench.tell,
    )
    for percentile in _PERCENTILES:
        values = {name: [one[percentile] for one in own] for name, own in found.items()}
        bench.results.table(f"Latency at {what}: {percentile}", "ms", values, reference=NAIVE)
        if percentile in at_most:
            wanted = f"{what}: worker's {percentile} to naive pika's"
            bench.results.claim(
                wanted, ratios(values[SHIPPED], values[NAIVE]), at_most=at_most[percentile]
            )
    shares = {name: [one[_BUSY] for one in own] for name, own in found.items()}
    note = "publisher, broker, consumer, Redis and reader together"
    bench.results.table(f"Latency at {what}: how busy all cores were", "%", shares, note=note)
    return found


def _round(bench: Bench, who: str, per_s: float, seconds: float) -> dict[str, float]:
    """Latency percentiles in ms, and how busy all cores were in %."""
    bench.stand.clear()
    environment = {**os.environ, **bench.environment}
    command = {
        SHIPPED: bench.worker(),
        NAIVE: [sys.executable, *PEERS[NAIVE]],
        NAIVE_QUORUM: [sys.executable, *PEERS[NAIVE], "quorum"],
    }[who]
    _route(bench, _QUEUES[who])
    reading = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.reader", str(_CAMERAS)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
    )
    with (bench.stand.rabbit.folder / "latency.log").open("wb") as log:
        working = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        if reading.stdout is None or reading.stdout.readline() != b"ready\n":
            msg = "the reader did not start"
            raise RuntimeError(msg)
        published_ns, busy_percent = _publish(bench, per_s, seconds)
        with bench.stand.redis.client() as client:
            wanted = len(published_ns)
            eventually(
                lambda: (
                    sum(client.xlen(f"verdicts:{{door-{i}}}") for i in range(_CAMERAS)) >= wanted
                ),
                30,
                f"{wanted} verdicts",
            )
        time.sleep(0.3)  # longer than the reader blocks
        reading.terminate()
        seen_ns: dict[str, int] = json.loads(reading.communicate(timeout=30)[0])
    finally:
        end([working, reading])
        _route(bench, LIVE_QUEUE)
    # Without the first crop, which waited for the consumer to start.
    took_ms = [
        (seen_ns[crop_id] - at_ns) / 1e6 for crop_id, at_ns in list(published_ns.items())[1:]
    ]
    return {_BUSY: busy_percent} | {
        name: float(np.percentile(took_ms, q)) for name, q in _PERCENTILES.items()
    }


def _route(bench: Bench, queue: str) -> None:
    """Route live crops to ``queue`` alone: the same producer publishes for all consumers."""
    with bench.stand.rabbit.channel() as channel:
        naive = [naive_pika.declared(channel, quorum=quorum) for quorum in (False, True)]
        for name in _QUEUES.values():
            (channel.queue_bind if name == queue else channel.queue_unbind)(
                name, LIVE_EXCHANGE, LIVE_BINDING
            )
        for name in naive:
            channel.queue_purge(name)


def _publish(bench: Bench, per_s: float, seconds: float) -> tuple[dict[str, int], float]:
    """Publish crops at a steady rate.

    Returns each crop's publishing time in ns, by the monotonic clock, and how busy all cores were
    meanwhile, in %.
    """
    outlet = RabbitPublisher(
        parameters(bench.stand.rabbit.url, None, name="latency"), stop=Stop(), patient=True
    )
    outlet.wait_for_broker(10)
    source, published_ns = crops(JPEG, cameras=_CAMERAS), {}

    def publish() -> None:
        crop = next(source)
        published_ns[crop.crop_id] = time.monotonic_ns()
        outlet.publish(to_message(crop))

    publish()
    with bench.stand.redis.client() as client:
        while not client.exists("verdicts:{door-0}"):  # until the consumer has started
            outlet.rest(0.02)
    outlet.rest(_WARM_S)
    begun_s, begun_ticks, sent, count = time.monotonic(), busy_ticks(), 0, int(seconds * per_s)
    while sent < count:
        outlet.rest(max(_TICK_S, begun_s + sent / per_s - time.monotonic()))
        while sent < count and begun_s + sent / per_s <= time.monotonic():
            publish()
            sent += 1
    busy, altogether = busy_ticks(begun_ticks)
    outlet.flush(30)
    outlet.close()
    return published_ns, 100 * busy / altogether
