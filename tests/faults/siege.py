"""``make siege MINUTES=10``: honest cameras beside two attackers, and then the totals.

One attacker has a camera's key, the other the auditor's. Exits with 0 only if nothing is lost, no
door opened wrongly, no worker ended, and the honest doors had a decision in 99 % of their reads.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import structlog

from maskgate.gate.decide import Action
from tests.faults.attackers import Attacker, add_users, as_auditor, as_camera
from tests.faults.ledger import Balance
from tests.faults.site import Site, site
from tests.servers.ports import eventually

_DECIDED = 0.99


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.siege", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="maskgate-siege-"))
    place, balance = besiege(folder, arguments.minutes * 60)
    return 0 if balance.adds_up and not place.crashes and decided(place) >= _DECIDED else 1


def besiege(folder: Path, seconds: float) -> tuple[Site, Balance]:
    """Run honest cameras and attackers for some seconds, and print the totals."""
    with site(folder, workers=2, rate=150) as place:
        add_users(place.rabbit)
        eventually(lambda: place.is_well(0), 60, "the first verdicts")
        attackers = [
            Attacker(place.rabbit, place.ledger, user, act)
            for user, act in (("camera-stolen", as_camera), ("auditor", as_auditor))
        ]
        place.ledger.reads.clear()
        for attacker in attackers:
            attacker.start()
        time.sleep(seconds)
        for attacker in attackers:
            attacker.stop()
        reads = decided(place)
        balance = place.settle()
    print(
        f"crops     offered {balance.offered}, confirmed {balance.confirmed}, "
        f"refused {balance.refused}; attacks {sum(attacker.tried for attacker in attackers)}"
    )
    print(f"doors     {place.ledger.reads.total()} reads, decided {reads:.4f}")
    print(
        f"lost {len(balance.lost)}, unknown {len(balance.unknown)}, "
        f"contradicted {len(balance.contradicted)}, counted twice {len(balance.counted_twice)}, "
        f"wrong opens {len(balance.wrong_opens)}, crashes {len(place.crashes)}"
    )
    return place, balance


def decided(place: Site) -> float:
    """The share of the honest doors' reads that had a decision."""
    reads = place.ledger.reads
    return 1 - reads[Action.MANUAL] / max(1, reads.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
