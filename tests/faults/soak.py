"""``make soak MINUTES=10``: all faults in random order under load, then totals and recovery times.

Exits with 0 only if every confirmed crop has an outcome, every decision that a door read was
justified by a fresh crop, and no worker exited without a fault.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from maskgate.gate.decide import Action
from maskgate.runtime.clock import now_ms
from tests.faults.injections import FAULTS
from tests.faults.ledger import Balance
from tests.faults.site import Site, site
from tests.servers.ports import eventually

_BACK_WITHIN_S = 120
_SHORTEST_S, _LONGEST_S = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault, and how long the site took to recover after it ended.

    Recovered means verdicts on crops captured after the fault, and no backlog.
    """

    name: str
    at_s: float
    lasted_s: float
    back_s: float


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--rate", type=float, default=500, help="crops a second; default: %(default)s"
    )
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="decides the order and duration of the faults; default: %(default)s",
    )
    arguments = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="maskgate-soak-"))
    with site(folder, workers=arguments.workers, rate=arguments.rate, seed=arguments.seed) as place:
        eventually(lambda: place.is_well(0), 60, "the first verdicts")
        injected = _inject(
            place, time.monotonic() + arguments.minutes * 60, random.Random(arguments.seed)
        )
        balance = place.settle(_BACK_WITHIN_S)
        _print(injected, place, balance)
        return 0 if balance.adds_up and not place.crashes else 1


def _inject(place: Site, until_s: float, choice: random.Random) -> list[Injected]:
    begun_s, injected, deck = time.monotonic(), list[Injected](), list[str]()
    while time.monotonic() < until_s:
        deck = deck or choice.sample(sorted(FAULTS), len(FAULTS))
        name, at_s = deck.pop(), time.monotonic()
        with FAULTS[name](place, choice):
            time.sleep(choice.uniform(_SHORTEST_S, _LONGEST_S))
        ended_s, ended_ms = time.monotonic(), now_ms()
        eventually(
            partial(place.is_well, ended_ms),
            _BACK_WITHIN_S,
            f"recovery from {name}",
        )
        injected.append(Injected(name, at_s - begun_s, ended_s - at_s, time.monotonic() - ended_s))
        print(
            f"{at_s - begun_s:6.1f} s  {name}: {ended_s - at_s:.1f} s, "
            f"recovered after {injected[-1].back_s:.1f} s",
            flush=True,
        )
        time.sleep(choice.uniform(0, 2))
    return injected


def _print(injected: list[Injected], place: Site, balance: Balance) -> None:
    back_s = [each.back_s for each in injected]
    slowest = max(injected, key=lambda each: each.back_s)
    print(f"\nfaults    {len(injected)} of {len({each.name for each in injected})} kinds")
    print(
        f"recovery  median {statistics.median(back_s):.1f} s, "
        f"longest {slowest.back_s:.1f} s after {slowest.name}"
    )
    print(
        f"crops     offered {balance.offered}, confirmed {balance.confirmed}, "
        f"refused {balance.refused}, unconfirmed {balance.in_doubt}"
    )
    print(
        f"outcomes  {', '.join(f'{name} {n}' for name, n in sorted(balance.ends.items()))}; "
        f"written again {balance.written_again}"
    )
    print(f"doors     {_counted(place.ledger.reads)}")
    print(f"people    {_counted(place.ledger.reads_of_people)}")
    print(
        f"lost {len(balance.lost)}, unknown {len(balance.unknown)}, "
        f"contradicted {len(balance.contradicted)}, ",
        end="",
    )
    print(
        f"counted twice {len(balance.counted_twice)}, wrong opens {len(balance.wrong_opens)}, "
        f"crashes {len(place.crashes)}"
    )
    for kind in (
        balance.lost,
        balance.unknown,
        balance.contradicted,
        balance.counted_twice,
        balance.wrong_opens,
        place.crashes,
    ):
        for each in kind[:5]:
            print(f"  {each}")
    table = Table("minute", "workers' resident MB: minimum", "median", "maximum")
    for minute in sorted({int(at_s // 60) for at_s, _ in place.memory_mb}):
        values = [mb for at_s, mb in place.memory_mb if int(at_s // 60) == minute]
        table.add_row(
            str(minute),
            *(f"{value:.0f}" for value in (min(values), statistics.median(values), max(values))),
        )
    Console(width=100).print(table)


def _counted(reads: Mapping[Action, int]) -> str:
    return ", ".join(f"{action} {count}" for action, count in reads.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
