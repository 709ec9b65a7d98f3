"""The shipped model on the bank's data set, where it is."""

import json
import os
from pathlib import Path

import pytest

from tests.servers.processes import done

ROOT = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("MASKGATE_REFERENCE_DATA", ROOT.parent / "shared" / "data" / "seed28"))


def test_the_shipped_model_gets_95_of_100_right() -> None:
    pytest.importorskip("sklearn", reason="the trainer extra is not installed")
    if not (DATA / "Test").is_dir():
        pytest.skip(f"no reference data set at {DATA}: set MASKGATE_REFERENCE_DATA to the folder that holds Train/ and Test/")
    told = done("trainer", "evaluate", "--model", "deploy/model/mask.onnx", "--data", str(DATA / "Test"), "--json", environment={})
    assert json.loads(told.stdout)["accuracy"] >= 0.95
