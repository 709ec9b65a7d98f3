import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.fuzz import damaged, main
from tests.faults.hostile import IMAGES, Hostile
from tests.servers.processes import ROOT


def test_damaged_crops_get_a_reason_of_the_fixed_list_or_a_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--count", "6400", "--seed", "7"]) == 0
    reported = capsys.readouterr().out
    assert "6400 bodies from seed 7" in reported
    assert {"bad_image", "content_mismatch", "bad_captured_at", "mask"} <= set(
        reported.replace(",", "").split()
    )


def test_the_same_seed_causes_the_same_damage() -> None:
    seeds = [case.body for case in IMAGES]
    twice = [
        [damaged(choice, body, seeds) for body in seeds]
        for choice in (random.Random(3), random.Random(3))
    ]
    assert twice[0] == twice[1] != seeds


#: Words in the names of cases whose headers declare hundreds of megabytes or more.
CLAIMING = ("100,000", "65535", "bomb", "claims")
GROWTH_MB = 20
#: VmHWM is the peak of this process alone. The peak of getrusage is inherited from the parent
#: process, and a large parent would hide any growth.
MEASURE = """
import sys
from pathlib import Path
from maskgate.protocol.errors import UnreadableCropError
from maskgate.inference.card import InputShape
from maskgate.inference.image import decode
from maskgate.inference.limits import crop_limits
def peak_mb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
body, before = Path(sys.argv[1]).read_bytes(), peak_mb()
try:
    decode(body, sys.argv[2], crop_limits(InputShape(64, 64, 3)))
except UnreadableCropError as error:
    print(error.reason, peak_mb() - before)
"""
#: OpenCV's own limits are lifted, so that only maskgate's checks protect the memory.
NO_LIMITS = {f"OPENCV_IO_MAX_IMAGE_{what}": str(1 << 40) for what in ("PIXELS", "WIDTH", "HEIGHT")}


@pytest.mark.parametrize(
    "case",
    [case for case in IMAGES if any(word in case.name for word in CLAIMING)],
    ids=lambda case: case.name,
)
def test_a_header_that_claims_more_than_it_holds_costs_no_memory(
    case: Hostile, tmp_path: Path
) -> None:
    body = tmp_path / "body"
    body.write_bytes(case.body)
    command = [sys.executable, "-c", MEASURE, str(body), case.content_type]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **NO_LIMITS},
        capture_output=True,
        text=True,
        check=True,
    )
    reason, grown_mb = ended.stdout.split()
    assert reason == case.reason
    assert int(grown_mb) < GROWTH_MB
