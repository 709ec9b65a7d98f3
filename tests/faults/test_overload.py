from pathlib import Path

from maskgate.gate.decide import Action
from tests.faults.site import site
from tests.servers.ports import eventually


def test_a_door_still_finds_decisions_when_more_crops_come_than_its_worker_can_classify(
    tmp_path: Path,
) -> None:
    slow = ["tests.faults.slow_worker", "20"]  # 50 crops a second at best
    with site(tmp_path, workers=1, rate=150, worker_command=lambda _: slow) as place:
        eventually(
            lambda: sum(told[0] == "expired" for told in place.ledger.ends.copy().values()) > 300,
            60,
            "an overload that lasts",
        )
        place.ledger.reads.clear()
        eventually(lambda: place.ledger.reads.total() > 200, 60, "200 readings of the doors")
        reads = place.ledger.reads.copy()
        balance = place.settle()
    assert reads[Action.MANUAL] < reads.total() / 2, reads
    assert balance.adds_up, balance
