"""``make bench``, ``make bench-quick``: the speed of maskgate and of its alternatives.

All run against the same broker and Redis, which the benchmark starts for itself.

``python -m tests.benchmarks [--quick | --guard] [--only NAME …] [--rounds N]
[--worker-python FILE] [--peers-python FILE] [--out DIR]``
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tests.benchmarks import (
    cameras,
    capacity,
    doors,
    latency,
    networks,
    producing,
    scale,
    shipped,
    throughput,
)
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Results
from tests.benchmarks.guard import guard
from tests.benchmarks.machine import machine
from tests.benchmarks.report import markdown, write
from tests.benchmarks.stand import stand

_ALL: dict[str, Callable[[Bench], None]] = {
    "everybody": throughput.against_everybody,
    "shipped": shipped.shipped_model,
    "formats": throughput.ppm_to_jpeg,
    "latency": latency.latencies,
    "producer": producing.producers,
    "stages": throughput.by_stage,
    "replicas": throughput.variations,
    "gate": doors.gates,
    "network": networks.networks,
    "growth": scale.growth,
    "endurance": scale.endurance,
    "capacity": capacity.check,
    "cameras": cameras.cameras,
}
_QUICK = ("everybody", "producer", "latency")


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"under three minutes: {', '.join(_QUICK)}"
    )
    parser.add_argument(
        "--guard", action="store_true", help="for CI: exit 1 if something became much slower"
    )
    parser.add_argument("--only", nargs="+", choices=list(_ALL), help="run only these")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--worker-python",
        default=sys.executable,
        help="the Python interpreter for maskgate's worker",
    )
    parser.add_argument(
        "--peers-python", default=sys.executable, help="the Python interpreter for the peers"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="default: %(default)s")
    arguments = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    begun_s = time.monotonic()
    with stand() as place:
        results, quick = (
            Results(arguments.rounds, machine(place)),
            arguments.quick or arguments.guard,
        )
        bench = Bench(place, results, quick, arguments.worker_python, arguments.peers_python)
        wanted = (
            ("guard",)
            if arguments.guard
            else arguments.only or (_QUICK if arguments.quick else tuple(_ALL))
        )
        for name in wanted:
            (guard if name == "guard" else _ALL[name])(bench)
            write(bench.results, arguments.out)  # the results so far
    print(markdown(bench.results))
    print(f"{time.monotonic() - begun_s:.0f} s; also in {arguments.out}/", file=sys.stderr)
    return int(arguments.guard and not all(claim.holds for claim in bench.results.claims))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
