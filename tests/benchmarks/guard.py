"""The guard in CI: ratios under these floors are no noise, somebody made something slower.

The floors stand well under what was measured (docs/benchmarks), and above what the worker did before it was made fast.
"""

from functools import partial

from maskgate.inference.image import JPEG, PPM
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately, ratios
from tests.benchmarks.producing import producers

_LOOP_S = 1.0
#: Crops, and the worker's rate as a share of the loop's, at least.
_FLOORS = {JPEG: (5000, 0.45), PPM: (10_000, 0.36)}
_PRODUCER_FLOOR = 3.0


def guard(bench: Bench) -> None:
    """Worker beside the in-process loop, producer beside one confirmation at a time."""
    for content_type, (count, floor) in _FLOORS.items():
        bench.tell(f"guard: {content_type}")
        subjects = {
            "loop": partial(bench.loop, content_type, _LOOP_S),
            "worker": partial(_worker, bench, content_type, count),
        }
        rates = alternately(bench.rounds, subjects, bench.tell)
        wanted = f"{content_type}: worker's rate to the in-process loop's"
        bench.results.claim(wanted, ratios(rates["worker"], rates["loop"]), at_least=floor)
    producers(bench, at_least=_PRODUCER_FLOOR)


def _worker(bench: Bench, content_type: str, count: int) -> float:
    return bench.shipped(content_type, count).per_s
