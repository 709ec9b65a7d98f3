"""The shipped models on the bank's data set, if it is there."""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.servers.processes import done

ROOT = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("MASKGATE_REFERENCE_DATA", ROOT.parent / "shared" / "data" / "seed28"))


MODELS = ROOT / "deploy" / "model"


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("reference.onnx", {"accuracy": 0.985, "precision": 0.985, "recall": 0.985}),
        ("mask.onnx", {"accuracy": 0.97, "precision": 0.97, "recall": 0.97}),
    ],
)
def test_the_models_reach_their_promised_rates_on_the_test_set(
    model: str, least: dict[str, float]
) -> None:
    pytest.importorskip("sklearn", reason="the trainer extra is not installed")
    if not (DATA / "Test").is_dir():
        pytest.skip(
            f"no reference data set at {DATA}: set MASKGATE_REFERENCE_DATA to the folder that has "
            "Train/ and Test/"
        )
    finished = done(
        "trainer",
        "evaluate",
        "--model",
        str(MODELS / model),
        "--data",
        str(DATA / "Test"),
        "--json",
        environment={},
    )
    rates = json.loads(finished.stdout)
    assert all(rates[name] >= wanted for name, wanted in least.items()), rates


def test_the_known_duplicate_photographs_of_the_data_set_are_found() -> None:
    pytest.importorskip("sklearn", reason="the trainer extra is not installed")
    leaks = DATA.parent / "seed_leaks.csv"
    if not leaks.is_file():
        pytest.skip(f"no list of known leaks at {leaks}")
    with leaks.open() as file:
        pairs = [
            (DATA.parent / row["test_file"], DATA.parent / row["other_file"])
            for row in csv.DictReader(file)
        ]
    from maskgate.inference.card import InputShape
    from trainer.data.labelled_images import find, load

    images = load(find([DATA]), InputShape(28, 28, 1))
    groups = dict(zip(images.paths, images.groups(), strict=True))
    assert all(groups[one] == groups[other] for one, other in pairs)
    assert len(pairs) > 50
