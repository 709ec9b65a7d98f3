"""Each fault for a second or two under load: afterwards everything adds up, nobody crashed, and the site is back by itself."""

import random
import time
from collections.abc import Iterator

import pytest

from maskgate.runtime.clock import now_ms
from tests.faults.injections import FAULTS
from tests.faults.site import Site, site
from tests.servers.ports import eventually

# A connection that pika lost track of is left to the garbage collector, which tells.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site"), rate=150) as place:
        eventually(lambda: place.is_well(0), 30, "the first verdicts")
        yield place


@pytest.mark.parametrize("name", FAULTS)
def test_a_site_survives_and_every_crop_has_its_end(name: str, shared_site: Site) -> None:
    place, choice = shared_site, random.Random(name)
    print(
        f"{now_ms()} {name}"
    )  # shown when a test fails: the ledger names crops by when they were captured
    with FAULTS[name](place, choice):
        time.sleep(1.5)  # the fault's duration, not a wait for anything
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


def test_all_in_all_nothing_is_lost(shared_site: Site) -> None:
    balance = shared_site.settle()
    assert balance.adds_up, balance
    assert balance.confirmed > 0
    assert sum(balance.ends.values()) >= balance.confirmed
