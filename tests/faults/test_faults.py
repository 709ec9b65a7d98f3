"""Each fault for 1.5 s under load.

Afterwards the site recovers without help, the ledger adds up and no worker has crashed.
"""

import random
import time
from collections.abc import Iterator

import pytest

from maskgate.runtime.clock import now_ms
from tests.faults.injections import FAULTS
from tests.faults.site import Site, site
from tests.servers.ports import eventually

# pika leaves some broken connections to the garbage collector, which then warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site"), rate=150) as place:
        eventually(lambda: place.is_well(0), 30, "the first verdicts")
        yield place


@pytest.mark.parametrize("name", FAULTS)
def test_the_site_recovers_and_no_outcome_is_wrong(name: str, shared_site: Site) -> None:
    place, choice = shared_site, random.Random(name)
    # pytest shows this if the test fails; the ledger's messages contain capture times.
    print(f"{now_ms()} {name}")
    with FAULTS[name](place, choice):
        time.sleep(1.5)  # the duration of the fault
    ended_ms = now_ms()
    eventually(lambda: place.is_well(ended_ms), 30, "verdicts on new crops, and no backlog")
    balance = place.ledger.balance()
    assert [balance.unknown, balance.contradicted, balance.wrong_opens, balance.counted_twice] == [
        [],
        [],
        [],
        [],
    ]
    assert not place.crashes


def test_no_crop_was_lost_during_any_fault(shared_site: Site) -> None:
    balance = shared_site.settle()
    assert balance.adds_up, balance
    assert balance.confirmed > 0
    assert sum(balance.ends.values()) >= balance.confirmed
