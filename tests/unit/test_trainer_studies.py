"""Cross-validation, held-out sources and comparisons on drawn faces."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError
from tests.unit.drawn_folders import TINY, draw_folder

pytest.importorskip("torch", reason="the trainer extra is not installed")


from trainer.__main__ import main

# The exporter of torch gives these warnings.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)


def test_crossval_and_loso_give_a_band_metrics_on_the_card_and_doubtful_labels(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = draw_folder(tmp_path / "other", 40, ("nomask", "mask"), seed=9)
    both = ["--data", str(data), "--data", str(other)]
    assert main(["crossval", *both, "--out", str(tmp_path), "--folds", "2", *TINY]) == 0
    written = str(tmp_path / "crossval.json")
    capsys.readouterr()
    assert main(["ensemble", "--crossval", written, "--crossval", written]) == 0
    rows = [line.split("│")[2:] for line in capsys.readouterr().out.splitlines() if "160" in line]
    assert len(rows) == 4
    assert rows[0] == rows[1] == rows[2], "a network and its twin say what each says"
    assert main(["loso", *both, "--out", str(tmp_path), "--seeds", "1", *TINY]) == 0
    result = json.loads((tmp_path / "crossval.json").read_text())
    assert all(
        (result["mean"][name] is None) == any(fold[name] is None for fold in result["folds"])
        for name in ("precision", "auc")
    )
    assert result["mean"]["accuracy"] == pytest.approx(
        np.mean([fold["accuracy"] for fold in result["folds"]])
    )
    assert len(result["predictions"]["p_mask"]) == 160
    assert set(json.loads((tmp_path / "loso.json").read_text())["doors"]) == {data.name, "other"}
    results = ["--crossval", str(tmp_path / "crossval.json"), "--loso", str(tmp_path / "loso.json")]
    assert (
        main(
            [
                "export",
                "--checkpoint",
                str(run / "checkpoint.pt"),
                "--out",
                str(tmp_path / "m.onnx"),
                *results,
            ]
        )
        == 0
    )
    assert (
        main(
            [
                "export",
                "--checkpoint",
                str(run / "checkpoint.pt"),
                "--out",
                str(tmp_path / "n.onnx"),
                *results,
                "--judge",
                "attic",
            ]
        )
        == 78
    )
    assert "no door attic; there are" in capsys.readouterr().err
    card = Model.load(tmp_path / "m.onnx").card
    assert {
        "validation_auc",
        "new_door_accuracy",
        "new_door_decided_coverage",
        "crossval_accuracy",
    } <= set(card.metrics)
    assert card.uncertain_from <= card.threshold <= card.uncertain_to
    assert (
        main(
            [
                "report",
                *both,
                "--model",
                str(tmp_path / "m.onnx"),
                "--out",
                str(tmp_path / "report"),
                *results,
            ]
        )
        == 0
    )
    assert "Leave one source out" in (tmp_path / "report" / "report.html").read_text()
    expected = json.loads((tmp_path / "report" / "report.json").read_text())["new_door"]
    assert set(expected["names"]) == {data.name, "other"}
    assert all(row["interval"] is None for row in expected["rows"])
    result["predictions"]["p_mask"] = [float(label) for label in result["predictions"]["labels"]]
    for wrong in (7, 30):
        result["predictions"]["p_mask"][wrong] = (
            0.97 - 0.94 * result["predictions"]["labels"][wrong]
        )
    (tmp_path / "sure.json").write_text(json.dumps(result))
    assert (
        main(
            [
                "audit-labels",
                "--crossval",
                str(tmp_path / "sure.json"),
                "--out",
                str(tmp_path / "audit"),
            ]
        )
        == 0
    )
    with (tmp_path / "audit" / "labels.csv").open() as file:
        assert {row["path"] for row in csv.DictReader(file)} == {
            result["predictions"]["paths"][wrong] for wrong in (7, 30)
        }
    assert cv2.imread(str(tmp_path / "audit" / "labels.png")) is not None
    assert (
        main(
            [
                "audit-labels",
                "--crossval",
                str(tmp_path / "loso.json"),
                "--out",
                str(tmp_path / "audit"),
            ]
        )
        == 78
    )
    assert "not a file that `crossval` wrote" in capsys.readouterr().err
    assert (
        main(
            [
                "audit-labels",
                "--loso",
                str(tmp_path / "loso.json"),
                "--out",
                str(tmp_path / "audit"),
            ]
        )
        == 0
    )
    assert "of 160 labels in doubt" in capsys.readouterr().out


def test_cross_validation_can_start_from_a_network_trained_on_other_images(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = draw_folder(tmp_path / "other", 60, seed=11)
    crossval = [
        "crossval",
        "--data",
        str(other),
        "--out",
        str(tmp_path),
        "--folds",
        "2",
        "--start",
        str(run / "checkpoint.pt"),
    ]
    hardly = ["--samples", "64", "--batch", "32", "--threads", "1", "--learning-rate", "1e-6"]
    assert main([*crossval, *hardly, "--width", "0.5"]) == 0
    assert json.loads((tmp_path / "crossval.json").read_text())["mean"]["accuracy"] >= 0.9
    assert main([*crossval, *hardly, "--width", "0.25"]) == 78
    assert "its width is 0.5, not 0.25" in capsys.readouterr().err


def test_cross_validation_can_train_on_images_that_it_never_tests_on(
    data: Path, tmp_path: Path
) -> None:
    other = draw_folder(tmp_path / "other", 40, seed=12)
    arguments = [
        "--data",
        str(other),
        "--also",
        str(data),
        "--out",
        str(tmp_path),
        "--folds",
        "2",
        *TINY,
    ]
    assert main(["crossval", *arguments]) == 0
    result = json.loads((tmp_path / "crossval.json").read_text())
    assert set(result["predictions"]["sources"]) == {"other"}
    assert result["all"]["n"] == sum(fold["n"] for fold in result["folds"]) == 40


def test_a_band_is_chosen_by_images_of_a_door_that_the_network_itself_predicts(
    run: Path, tmp_path: Path
) -> None:
    door = draw_folder(tmp_path / "lobby", 60, seed=13)
    assert (
        main(
            [
                "export",
                "--checkpoint",
                str(run / "checkpoint.pt"),
                "--out",
                str(tmp_path / "m.onnx"),
                "--door",
                str(door),
            ]
        )
        == 0
    )
    metrics = Model.load(tmp_path / "m.onnx").card.metrics
    assert metrics["door_accuracy"] >= 0.9
    assert metrics["door_decided_coverage"] >= 0.9


def test_networks_are_compared_by_cost_and_accuracy_and_a_report_shows_it(
    run: Path, data: Path, tmp_path: Path
) -> None:
    door = draw_folder(tmp_path / "lobby", 20, seed=14)
    results = tmp_path / "results" / "residual"
    for command in (
        ["crossval", "--data", str(data), "--folds", "2"],
        ["loso", "--data", str(data), "--data", str(door), "--seeds", "1"],
    ):
        assert main([*command, "--out", str(results), *TINY]) == 0
    compared = [
        "--candidate",
        "residual:20:0.25",
        "--vary",
        "light=0",
        "--results",
        str(results.parent),
    ]
    measured = ["--measure", f"lobby={door}", "--model", f"shipped={run / 'model.onnx'}"]
    assert (
        main(["compare", "--data", str(data), "--out", str(tmp_path), *compared, *measured, *TINY])
        == 0
    )
    rows = json.loads((tmp_path / "comparison.json").read_text())["networks"]
    assert [(row["network"], row["change"], row["written"]) for row in rows] == [
        *(
            ("residual", change, written)
            for change in ("", "light=0")
            for written in ("float", "int8")
        ),
        ("shipped", "", "as shipped"),
    ]
    assert all(row["measured"]["lobby"]["n"] == 20 and row["us_alone"] > 0 for row in rows)
    assert [row["message_bytes"] for row in rows[3:]] == [20 * 20 * 3 + 13, 28 * 28 * 3 + 13]
    assert 0 <= rows[0]["cross_validation"]["accuracy"] <= 1
    assert rows[0]["left_out"]["runs"] == 2
    tags = tmp_path / "slices.csv"
    tags.write_text("file,tags\nWith Mask/1.png,respirator\nwithout_mask/0.png,beard\n")
    report = [
        "--data",
        str(door),
        "--model",
        str(run / "model.onnx"),
        "--comparison",
        str(tmp_path / "comparison.json"),
    ]
    assert main(["report", *report, "--slices", str(tags), "--out", str(tmp_path / "report")]) == 0
    numbers = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {row["slice"]: row["n"] for row in numbers["slices"]} == {"respirator": 1, "beard": 1}
    assert "Networks side by side" in (tmp_path / "report" / "report.html").read_text()


def test_a_candidate_whose_export_is_refused_is_logged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, precision: str) -> None:
        msg = f"{precision} is off"
        raise ModelError(msg)

    monkeypatch.setattr("trainer.evaluation.comparison.export", refuse)
    arguments = [
        "--data",
        str(data),
        "--out",
        str(tmp_path),
        "--candidate",
        "residual:20:0.25",
        *TINY,
    ]
    assert main(["compare", *arguments]) == 78
    logged = capsys.readouterr().err
    assert "float is off" in logged
    assert "int8 is off" in logged
    assert "no candidate could be written" in logged
