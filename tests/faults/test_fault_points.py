"""Workers that die at some step between receiving and acknowledging a crop.

No crop is lost, and no older verdict replaces a newer one.
"""

import os
from collections import Counter
from pathlib import Path

from tests.faults.dying_worker import POINTS
from tests.faults.site import site
from tests.servers.ports import eventually

#: ``make fault-points`` sets 200.
DEATHS = int(os.environ.get("MASKGATE_DEATHS", "14"))
_BATCHES = 5
#: Workers that die so often fall behind; without this, most crops would expire.
LASTING = {"MASKGATE_VERDICT_TTL_MS": "600000"}


def test_no_crop_is_lost_when_workers_die_at_any_step(tmp_path: Path) -> None:
    def dying(count: int) -> list[str]:
        if count > DEATHS:
            return ["worker"]
        return ["tests.faults.dying_worker", POINTS[count % len(POINTS)], str(1 + count % _BATCHES)]

    with site(tmp_path, rate=30, worker_command=dying, settings=LASTING) as place:
        eventually(lambda: place.started > DEATHS + 1, 60 + 4 * DEATHS, f"{DEATHS} deaths")
        balance = place.settle()
        deaths = Counter(
            point
            for point in POINTS
            for _ in range(place.log.read_text().count(f'"point": "{point}"'))
        )
    print(
        f"{deaths.total()} deaths: {dict(deaths)}; "
        f"{balance.confirmed} crops confirmed, outcomes {dict(balance.ends)}"
    )
    print(
        f"lost {len(balance.lost)}, written again {balance.written_again}, "
        f"stale overwrites {len(place.ledger.went_back)}"
    )
    assert deaths.total() >= DEATHS
    assert set(deaths) == set(POINTS)
    assert balance.adds_up, balance
    assert not place.ledger.went_back
    assert not place.crashes
