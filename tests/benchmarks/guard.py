"""The speed check in CI: a ratio below its floor means a real slowdown, not noise.

The floors are well below the measured ratios (docs/benchmarks), but above those that the worker
had before it was optimised.
"""

from functools import partial

from maskgate.inference.image import JPEG, PPM
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately, ratios
from tests.benchmarks.producing import producers

_LOOP_S = 1.0
#: The number of crops, and the minimum ratio of the worker's rate to that of the loop.
_FLOORS = {JPEG: (5000, 0.45), PPM: (10_000, 0.3)}
_PRODUCER_FLOOR = 3.0


def guard(bench: Bench) -> None:
    """Compare the worker to the in-process loop, and the producer to one confirm at a time."""
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
