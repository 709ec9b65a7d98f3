"""``make outages``: kill the broker, then Redis, for 1 s, 30 s and 5 minutes each.

Prints how soon the site has recovered, what the health check answered and how much was logged.
"""

import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from random import Random

import structlog
from rich.console import Console
from rich.table import Table

from maskgate.runtime.clock import now_ms
from tests.faults.injections import broker_killed, redis_killed
from tests.faults.site import Site, site
from tests.servers.ports import eventually

_DURATIONS_S = (1, 30, 300)
_RATE = 100


def main() -> int:
    """Print a table; return an exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    table = Table("down", "for", "recovered after", "/readyz meanwhile", "log lines per worker")
    outages: dict[str, Callable[[Site, Random], AbstractContextManager[None]]] = {
        "broker": broker_killed,
        "redis": redis_killed,
    }
    with site(Path(tempfile.mkdtemp(prefix="maskgate-outages-")), rate=_RATE) as place:
        eventually(lambda: place.is_well(0), 60, "the first verdicts")
        for name, outage in outages.items():
            for duration_s in _DURATIONS_S:
                before = _other_lines(place)
                with outage(place, Random(0)):
                    time.sleep(duration_s)
                    ready = {_ready(worker.health_port) for worker in place.workers}
                back_ms, back_s = now_ms(), time.monotonic()
                eventually(partial(place.is_well, back_ms), 120, "recovery")
                took_s = time.monotonic() - back_s
                lines = (_other_lines(place) - before) / len(place.workers)
                table.add_row(
                    name,
                    f"{duration_s} s",
                    f"{took_s:.1f} s",
                    "/".join(sorted(ready)),
                    f"{lines:.0f}",
                )
        balance = place.settle()
    Console(width=120).print(table)
    print(
        f"{balance.confirmed} crops confirmed, {balance.refused} refused, "
        f"outcomes {dict(balance.ends)}, lost {len(balance.lost)}"
    )
    return 0 if balance.adds_up and not place.crashes else 1


def _ready(port: int) -> str:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode().strip().replace("\n", ", ")
    return "ready"


def _other_lines(place: Site) -> int:
    """How many lines the workers logged, without the periodic ones."""
    return sum(
        '"worker.interval"' not in line and '"audit.report"' not in line
        for line in place.log.read_text().splitlines()
    )


if __name__ == "__main__":
    sys.exit(main())
