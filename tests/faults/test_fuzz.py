import random
from pathlib import Path

import pytest

from tests.faults.fuzz import damaged, main
from tests.faults.hostile import IMAGES


def test_damaged_bodies_and_messages_end_for_a_reason_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "6400", "--seed", "7"]) == 0
    told = capsys.readouterr().out
    assert "6400 bodies from seed 7" in told
    assert {"bad_image", "content_mismatch", "bad_captured_at", "mask"} <= set(told.replace(",", "").split())


def test_the_same_seed_damages_in_the_same_way() -> None:
    seeds = [case.body for case in IMAGES]
    twice = [[damaged(choice, body, seeds) for body in seeds] for choice in (random.Random(3), random.Random(3))]  # noqa: S311  (no secret)
    assert twice[0] == twice[1] != seeds


#: A decoder that allocates what a header claims would need 300 MB and more.
SPIKE_KB = 100_000


def test_a_header_that_claims_more_than_it_holds_costs_no_memory() -> None:
    from contract.errors import UnreadableCropError  # noqa: PLC0415
    from contract.image import decode  # noqa: PLC0415

    def peak_kb() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    before_kb = peak_kb()
    for case in IMAGES:
        if "100,000" in case.name or "65535" in case.name or "bomb" in case.name:
            with pytest.raises(UnreadableCropError):
                decode(case.body, case.content_type)
    assert peak_kb() - before_kb < SPIKE_KB
