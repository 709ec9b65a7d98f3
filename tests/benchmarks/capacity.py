"""The capacity model of docs/capacity.md, and how accurate it is.

It predicts rates from the processor time per crop; the benchmark measures the same rates.
"""

import itertools
import math
import os
from dataclasses import dataclass
from functools import partial

from maskgate.inference.image import JPEG, PPM
from maskgate.protocol.crop import to_message
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately, ratios
from tests.benchmarks.stand import crops

#: The planned load of a core, a broker or a Redis. The rest keeps queues short and allows for the
#: loss of a machine.
HEADROOM = 0.6
_CORES = os.cpu_count() or 1
_TAKEN = 5000
_CROPS_S = 5
_DOORS = (10, 100, 1000, 10_000)


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time in µs per crop; the broker's is for receiving and delivering a crop."""

    worker_us: float
    broker_us: float
    redis_us: float

    @property
    def total_us(self) -> float:
        """The sum for one crop."""
        return self.worker_us + self.broker_us + self.redis_us


def per_s(costs: Costs, workers: int, cores: int) -> float:
    """Crops/s of ``workers`` on one machine of ``cores``, which also runs broker and Redis.

    A worker, Redis and a quorum queue are one thread each; all share the cores.
    """
    return (
        min(
            workers / costs.worker_us,
            1 / costs.redis_us,
            1 / costs.broker_us,
            cores / costs.total_us,
        )
        * 1e6
    )


@dataclass(frozen=True, slots=True)
class Site:
    """What a number of doors needs; a core is one like those of the measured machine."""

    workers: int
    broker_cores: float
    redis_nodes: int


def needed(costs: Costs, doors: int, crops_per_door_s: float) -> Site:
    """What ``doors`` need if each sends ``crops_per_door_s`` crops/s at peak load."""
    rate = doors * crops_per_door_s
    return Site(
        workers=math.ceil(rate * costs.worker_us / 1e6 / HEADROOM),
        broker_cores=rate * costs.broker_us / 1e6 / HEADROOM,
        redis_nodes=math.ceil(rate * costs.redis_us / 1e6 / HEADROOM),
    )


def check(bench: Bench) -> None:
    """Measure costs with one worker, compare prediction and measurement, tabulate doors' needs.

    Predictions are compared for one and for two workers.
    """
    bench.tell(
        "capacity: what the broker takes for taking a crop, what a door takes of Redis's memory"
    )
    memory_kib = [_door_kib(bench) for _ in range(bench.rounds)]
    bench.results.table(
        "Capacity: a door's memory in Redis",
        "KiB",
        {"10,000 crops of history, one track": memory_kib},
    )
    for content_type, name, count in (
        (JPEG, "112 × 112 colour JPEG", 10_000),
        (PPM, "28 × 28 PPM", 19_000),
    ):
        bench.tell(f"capacity: {name}")
        subjects = {
            str(workers): partial(bench.shipped, content_type, count, replicas=workers)
            for workers in (1, 2)
        }
        found = alternately(bench.rounds, subjects, bench.tell)
        delivering = [Costs(d.cpu_us, d.broker_us, d.redis_us) for d in found["1"]]
        for workers, own in found.items():
            predicted, measured = (
                [per_s(costs, int(workers), _CORES) for costs in delivering],
                [d.per_s for d in own],
            )
            title = f"Capacity, {name}, {workers} worker{'s' * (workers != '1')} on {_CORES} cores"
            bench.results.table(
                title,
                "crops/s",
                {"predicted": predicted, "measured": measured},
                reference="predicted",
            )
            wanted = f"capacity model: {name}, {workers} of {_CORES} workers, measured to predicted"
            bench.results.claim(wanted, ratios(measured, predicted), at_least=0.8)
        messages = [to_message(crop) for crop in itertools.islice(crops(content_type), _TAKEN)]
        taking_us = [bench.fill(messages)[1] for _ in range(bench.rounds)]
        costs = [
            Costs(c.worker_us, c.broker_us + us, c.redis_us)
            for c, us in zip(delivering, taking_us, strict=True)
        ]
        parts = {
            "a worker": "worker_us",
            "RabbitMQ, taking and delivering": "broker_us",
            "Redis": "redis_us",
        }
        spent = {part: [getattr(one, us) for one in costs] for part, us in parts.items()}
        bench.results.table(f"Capacity, {name}: processor time", "µs a crop", spent)
        for what in ("workers", "broker_cores", "redis_nodes"):
            wanted_of = {
                f"{doors:,} doors": [
                    float(getattr(needed(one, doors, _CROPS_S), what)) for one in costs
                ]
                for doors in _DOORS
            }
            note = f"{_CROPS_S} crops/s a door at the busiest, {HEADROOM:.0%} of each core used"
            bench.results.table(
                f"Capacity, {name}: {what.replace('_', ' ')} needed",
                what.replace("_", " "),
                wanted_of,
                note=note,
            )


def _door_kib(bench: Bench) -> float:
    bench.stand.clear()
    bench.shipped(PPM, 10_000, cameras=1)
    with bench.stand.redis.client() as client:
        return (
            sum(int(client.memory_usage(key) or 0) for key in client.scan_iter("verdict*{door-0}*"))
            / 1024
        )
