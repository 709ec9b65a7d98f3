"""``make overload``: twice the crops that a worker can classify, then a worker that is frozen.

Prints how many crops are refused or expire, and how often a door gets a decision. The worker is
slowed down by sleeping, so that neither the sender nor the broker is the limit on a small machine.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import structlog

from maskgate.gate.decide import Action
from maskgate.protocol.queue import Refusal
from maskgate.protocol.topology import LIVE_QUEUE
from tests.faults.site import Site, site
from tests.servers.ports import eventually

_MS_PER_CROP = 10
_FLOOD_PER_S, _FLOOD_S, _OVERLOAD_S = 400, 10, 30


def main() -> int:
    """Print what happened; return an exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    capacity = _capacity()
    print(f"the worker classifies {capacity:.0f} crops/s")
    with _site(2 * capacity) as place:
        eventually(lambda: place.history.newest_verdict_ms, 60, "the first verdicts")
        _overload(place)
        _nobody_at_work(place)
        balance = place.settle(300)
        print(
            f"ledger: {balance.confirmed} confirmed, outcomes {dict(balance.ends)}, "
            f"refused {balance.refused}, lost {len(balance.lost)}"
        )
        return 0 if balance.adds_up and not place.crashes else 1


def _site(rate: float, settings: Mapping[str, str] | None = None) -> AbstractContextManager[Site]:
    folder = Path(tempfile.mkdtemp(prefix="maskgate-overload-"))
    slow = ["tests.faults.slow_worker", str(_MS_PER_CROP)]
    return site(folder, workers=1, rate=rate, worker_command=lambda _: slow, settings=settings)


def _capacity() -> float:
    with _site(_FLOOD_PER_S, {"MASKGATE_VERDICT_TTL_MS": "600000"}) as place:
        eventually(lambda: place.rabbit.depth(LIVE_QUEUE) > 500, 60, "a backlog")
        before, begun_s = len(place.ledger.ends), time.monotonic()
        time.sleep(_FLOOD_S)  # the measured time
        return (len(place.ledger.ends) - before) / (time.monotonic() - begun_s)


def _overload(place: Site) -> None:
    time.sleep(5)  # until the queue has its full length
    place.history.latencies_ms.clear()
    place.ledger.reads.clear()
    offered, depth, until_s = len(place.ledger.sent), 0, time.monotonic() + _OVERLOAD_S
    while time.monotonic() < until_s:
        depth = max(depth, place.rabbit.depth(LIVE_QUEUE))
        time.sleep(0.5)
    p50, p99 = np.percentile(place.history.latencies_ms, (50, 99))
    reads = place.ledger.reads
    decided = reads.total() - reads[Action.MANUAL]
    print(
        f"twice that for {_OVERLOAD_S} s: "
        f"offered {(len(place.ledger.sent) - offered) / _OVERLOAD_S:.0f}/s, queue at most {depth}"
    )
    print(
        f"  verdicts {len(place.history.latencies_ms) / _OVERLOAD_S:.0f}/s, "
        f"from capture to verdict p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    )
    print(f"  a door gets a decision in {decided / reads.total():.0%} of its reads")


def _nobody_at_work(place: Site) -> None:
    worker, refusals = place.workers[0].process, place.sender.outlet.live.refusals
    place.sender.rate = 1000  # the queue holds 20,000
    worker.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: refusals[Refusal.QUEUE_FULL] > 100, 120, "a full queue")
        depth = place.rabbit.depth(LIVE_QUEUE)
    finally:
        worker.send_signal(signal.SIGCONT)
    place.sender.rate = 20
    back_at_s, since_ms = time.monotonic(), time.time_ns() // 1_000_000
    eventually(lambda: place.history.newest_verdict_ms > since_ms, 60, "verdicts on new crops")
    print(
        f"worker frozen: the queue stops at {depth}, "
        f"then {refusals[Refusal.QUEUE_FULL]} crops were refused and counted"
    )
    print(f"  verdicts on new crops {time.monotonic() - back_at_s:.1f} s after it resumed")


if __name__ == "__main__":
    sys.exit(main())
