"""The capacity model of docs/capacity.md, and how far it is off: predicted from the costs of one crop, beside what was measured."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from contract.image import JPEG, PPM
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately, ratios

#: Of a core, of a broker, of a Redis, so much is used at most: queues stay short, and a lost machine is no outage.
HEADROOM = 0.6


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time in µs a crop: of a worker, of the broker for taking and delivering it, of Redis."""

    worker_us: float
    broker_us: float
    redis_us: float

    @property
    def total_us(self) -> float:
        """Of one crop, wherever it is spent."""
        return self.worker_us + self.broker_us + self.redis_us


def per_s(costs: Costs, workers: int, cores: int) -> float:
    """Crops a second that so many workers classify on one machine of so many cores with broker and Redis beside them.

    Each worker is one thread; a Redis and a quorum queue are one thread each, too; all share the cores.
    """
    return min(workers / costs.worker_us, 1 / costs.redis_us, 1 / costs.broker_us, cores / costs.total_us) * 1e6


@dataclass(frozen=True, slots=True)
class Site:
    """What so many doors need; cores are those of machines like the one that the costs were measured on."""

    crops_per_s: float
    workers: int
    broker_cores: float
    queues: int
    redis_nodes: int


def needed(costs: Costs, doors: int, crops_per_door_s: float) -> Site:
    """For doors that each send so many crops a second at their busiest."""
    rate = doors * crops_per_door_s
    return Site(
        crops_per_s=rate,
        workers=math.ceil(rate * costs.worker_us / 1e6 / HEADROOM),
        broker_cores=rate * costs.broker_us / 1e6 / HEADROOM,
        queues=math.ceil(rate * costs.broker_us / 1e6 / HEADROOM),
        redis_nodes=math.ceil(rate * costs.redis_us / 1e6 / HEADROOM),
    )


def check(bench: Bench) -> None:
    """Costs from one worker at work; the model's prediction for one and for two beside what both did."""
    cores = 2
    for content_type, name, count in ((JPEG, "112 × 112 colour JPEG", 10_000), (PPM, "28 × 28 PPM", 19_000)):
        bench.tell(f"capacity: {name}")
        found = alternately(
            bench.rounds,
            {str(workers): partial(bench.shipped, content_type, count, replicas=workers) for workers in (1, 2)},
            bench.tell,
        )
        costs = [Costs(d.cpu_us, d.broker_us, d.redis_us) for d in found["1"]]
        for workers, own in found.items():
            predicted = [per_s(cost, int(workers), cores) for cost in costs]
            measured = [d.per_s for d in own]
            title = f"Capacity, {name}, {workers} worker{'s' * (workers != '1')} on {cores} cores"
            bench.results.table(title, "crops/s", {"predicted": predicted, "measured": measured}, reference="predicted")
            if workers == "2":
                wanted = f"capacity model: {name}, two workers, measured to predicted"
                bench.results.claim(wanted, ratios(measured, predicted), at_least=0.8)
        middle = Costs(*(float(np.median([getattr(c, part) for c in costs])) for part in ("worker_us", "broker_us", "redis_us")))
        for doors in (10, 100, 1000, 5000, 20_000):
            site = needed(middle, doors, 5)
            bench.tell(f"  {doors} doors at 5/s: {site}")
