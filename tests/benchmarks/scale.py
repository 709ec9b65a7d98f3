"""Cost by number of cameras and tracks, queue depth, batch limit; memory over 1,000,000 crops."""

import itertools
import json
import os
import subprocess
import time
from collections.abc import Mapping
from functools import partial

import numpy as np

from maskgate.inference.image import PPM
from maskgate.protocol.crop import to_message
from maskgate.protocol.topology import LIVE_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from tests.benchmarks.bench import Bench
from tests.benchmarks.drain import Drained, end, resident_mb
from tests.benchmarks.figures import Spread, alternately
from tests.benchmarks.stand import crops
from tests.servers.processes import ROOT

_COUNT = 15_000
_MILLION = 1_000_000


def growth(bench: Bench) -> None:
    """Vary one parameter at a time.

    The defaults are four cameras, tracks of 20 crops, a queue of 15,000 crops, batches of 64.
    """
    things: dict[str, dict[str, dict[str, int]]] = {
        "cameras": {f"{n}": {"cameras": n} for n in (1, 4, 20, 100)},
        "tracks (4 cameras)": {f"{_COUNT // n:,}": {"track_length": n} for n in (_COUNT, 20, 1)},
    }
    for title, subjects in things.items():
        bench.tell(f"scale: {title}")
        runs = {name: partial(_shipped, bench, **own) for name, own in subjects.items()}
        _tabulate(bench, title, alternately(bench.rounds, runs, bench.tell))
    bench.tell("scale: batch limit")
    limits = {
        n: {"MASKGATE_MAX_BATCH": str(n), "MASKGATE_PREFETCH": str(max(256, 4 * n))}
        for n in (1, 4, 16, 64, 256)
    }
    batches = {
        str(n): partial(bench.shipped, PPM, 4000 if n == 1 else _COUNT, settings=own)
        for n, own in limits.items()
    }
    _tabulate(bench, "batch limit", alternately(bench.rounds, batches, bench.tell))
    bench.tell("scale: depth of the queue")
    deeper = '{"max-length":200000,"delivery-limit":5}'
    bench.stand.rabbit.ctl(
        "set_policy", "deep", f"^{LIVE_QUEUE}$", deeper, "--apply-to", "queues", "--priority", "9"
    )
    depths = {f"{n:,}": partial(bench.shipped, PPM, n) for n in (2000, 19_000, 100_000)}
    _tabulate(
        bench, "depth of the queue at the start", alternately(bench.rounds, depths, bench.tell)
    )
    bench.stand.rabbit.ctl("clear_policy", "deep")


def _shipped(bench: Bench, cameras: int = 4, track_length: int = 20) -> Drained:
    return bench.shipped(PPM, _COUNT, cameras=cameras, track_length=track_length)


def _tabulate(bench: Bench, title: str, found: Mapping[str, list[Drained]]) -> None:
    first = next(iter(found))
    rates = {name: [d.per_s for d in own] for name, own in found.items()}
    bench.results.table(
        f"Scale, {title}: throughput", "crops/s", rates, reference=first, note="28 × 28 PPM"
    )
    for who, us in (("worker", "cpu_us"), ("RabbitMQ", "broker_us"), ("Redis", "redis_us")):
        spent = {name: [getattr(d, us) for d in own] for name, own in found.items()}
        bench.results.table(
            f"Scale, {title}: {who}'s processor time", "µs a crop", spent, reference=first
        )


def endurance(bench: Bench) -> None:
    """Publish 1,000,000 crops to one running worker and record its memory."""
    bench.tell("a million crops")
    bench.stand.clear()
    environment = {
        **os.environ,
        **bench.environment,
        "MASKGATE_HISTORY_LENGTH": "10000",
        "MASKGATE_METRICS_PORT": "0",
    }
    with (bench.stand.rabbit.folder / "endurance.log").open("w+") as log:
        working = subprocess.Popen(
            bench.worker(), cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        outlet = RabbitPublisher(
            parameters(bench.stand.rabbit.url, None, name="endurance"), stop=Stop(), patient=True
        )
        memory_mb: list[float] = []
        begun_s = time.monotonic()
        for i, crop in enumerate(itertools.islice(crops(PPM), _MILLION)):
            outlet.publish(to_message(crop))
            if i % 10_000 == 9999:
                memory_mb.append(resident_mb([working.pid]))
                while bench.stand.rabbit.depth(LIVE_QUEUE) > 10_000:  # a full queue refuses crops
                    outlet.rest(0.1)
        outlet.flush(60)
        elapsed_s = time.monotonic() - begun_s
        refused = outlet.live.refused
        outlet.close()
        time.sleep(3)
        end([working])
        log.seek(0)
        done = sum(json.loads(line).get("crops", 0) for line in log if '"worker.interval"' in line)
    if refused or done < _MILLION:
        msg = f"{done} of {_MILLION} crops went through, {refused} were refused"
        raise RuntimeError(msg)
    tenth = len(memory_mb) // 10
    early, late = memory_mb[tenth : 2 * tenth], memory_mb[-tenth:]
    note = (
        f"published meanwhile at {_MILLION / elapsed_s:,.0f}/s; "
        "the spread is over the readings, not over rounds"
    )
    memory = {"second tenth": early, "last tenth": late}
    bench.results.table(
        "A million crops through one worker: resident memory", "MiB", memory, note=note
    )
    bench.results.claim("resident memory under load, MiB", Spread.of(late), at_most=115)
    grown = float(np.median(late) / np.median(early))
    bench.results.claim(
        "resident memory after a million crops to that after 150,000",
        Spread(grown, grown, grown),
        at_most=1.02,
    )
