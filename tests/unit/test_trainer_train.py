"""Training on a small folder of drawn faces: model, report, export."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskgate.inference.model import Model
from maskgate.runtime.exit_codes import ExitCode
from tests.unit.drawn_folders import TINY, draw_folder

pytest.importorskip("torch", reason="the trainer extra is not installed")

from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from trainer.__main__ import main
from trainer.data.labelled_images import find, load

# The exporter of torch gives these warnings.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)


def test_training_on_drawn_faces_gives_a_model_whose_numbers_are_those_of_scikit_learn(
    run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["evaluate", "--model", str(run / "model.onnx"), "--data", str(data), "--json"]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    model = Model.load(run / "model.onnx")
    images = load(find([data]), model.card.input)
    p_mask = model.p_mask(images.pixels)
    called = p_mask >= model.card.threshold
    assert (printed["n"], printed["skipped"]) == (120, 1)
    assert printed["accuracy"] == pytest.approx(accuracy_score(images.labels, called))
    assert printed["precision"] == pytest.approx(precision_score(images.labels, called))
    assert printed["recall"] == pytest.approx(recall_score(images.labels, called))
    assert printed["auc"] == pytest.approx(roc_auc_score(images.labels, p_mask))
    assert printed["accuracy"] >= 0.9
    assert sum(printed["confusion"].values()) == 120


def test_a_training_writes_a_report_that_needs_no_other_file(run: Path) -> None:
    page = (run / "report.html").read_text()
    numbers = json.loads((run / "report.json").read_text())
    assert page.count("<svg") >= 5
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    assert "<script" not in page
    assert numbers["data"]["images"] == 120
    assert numbers["data"]["skipped"] == 1
    assert numbers["data"]["measured_on"] == len(
        json.loads((run / "split.json").read_text())["validation"]
    )
    assert numbers["worn_incorrectly"][0]["n"] == 6
    assert sum(numbers["worn_incorrectly"][0]["outcomes"].values()) == pytest.approx(1)
    assert {row["name"] for row in numbers["robustness"]} >= {
        "dark",
        "rotated",
        "patch",
        "few_pixels",
        "motion",
        "noise",
        "jpeg",
    }
    assert list((run / "events").glob("events.out.tfevents.*"))


def test_exporting_a_checkpoint_again_gives_the_same_file(run: Path, tmp_path: Path) -> None:
    written = json.loads((run / "report.json").read_text())["model"]["card"]
    precision = "int8" if "written as int8" in written else "float"
    arguments = [
        "--checkpoint",
        str(run / "checkpoint.pt"),
        "--out",
        str(tmp_path / "again.onnx"),
        "--precision",
        precision,
    ]
    assert main(["export", *arguments]) == 0
    assert (tmp_path / "again.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_a_training_whose_export_is_refused_keeps_its_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("trainer.export.precision.PARITY_TOLERANCE", -1.0)
        train = ["train", "--data", str(data), "--out", str(tmp_path), "--no-report", *TINY]
        assert main(train) == ExitCode.BAD_MODEL
    assert "onnxruntime is off by" in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()
    again = ["--checkpoint", str(tmp_path / "checkpoint.pt"), "--out", str(tmp_path / "again.onnx")]
    assert main(["export", *again]) == 0
    assert "validation_accuracy" in Model.load(tmp_path / "again.onnx").card.metrics


def test_two_processes_train_one_network_and_validate_on_a_separate_folder(
    data: Path, tmp_path: Path
) -> None:
    apart = draw_folder(tmp_path / "apart", 10, seed=4)
    command = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "trainer",
        "train",
        "--data",
        str(data),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = [*TINY, "--no-report", "--out", str(tmp_path), "--validation", str(apart)]
    done = subprocess.run(
        [sys.executable, *command, *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('"event": "training.done"') == 1
    Model.load(tmp_path / "model.onnx")
    validated = json.loads((tmp_path / "split.json").read_text())["validation"]
    assert sorted(validated) == sorted(str(path) for path in apart.rglob("*.png"))
