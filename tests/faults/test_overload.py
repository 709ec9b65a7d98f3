from pathlib import Path

from maskgate.gate.decide import Action
from tests.faults.site import site
from tests.servers.ports import eventually


def test_doors_still_get_decisions_at_three_times_the_workers_capacity(
    tmp_path: Path,
) -> None:
    slow = ["tests.faults.slow_worker", "20"]  # at most 50 crops/s
    with site(tmp_path, workers=1, rate=150, worker_command=lambda _: slow) as place:
        eventually(
            lambda: (
                sum(reported[0] == "expired" for reported in place.ledger.ends.copy().values())
                > 300
            ),
            60,
            "300 expired crops",
        )
        place.ledger.reads.clear()
        eventually(lambda: place.ledger.reads.total() > 200, 60, "200 reads by doors")
        reads = place.ledger.reads.copy()
        balance = place.settle()
    assert reads[Action.MANUAL] < reads.total() / 2, reads
    assert balance.adds_up, balance
