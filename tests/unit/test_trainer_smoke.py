"""The trainer's commands on a small folder of drawn faces."""

import csv
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode
from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime.exit_codes import ExitCode
from producer.drawing import draw_face

pytest.importorskip("torch", reason="the trainer extra is not installed")

from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from trainer.__main__ import main, parser
from trainer.commands.options import Command, with_recipe
from trainer.data.labelled_images import find, load, load_all

# The exporter of torch gives these warnings.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)
SMALL = [
    "--samples",
    "8192",
    "--batch",
    "64",
    "--ema-decay",
    "0.9",
    "--threads",
    "1",
    "--width",
    "0.5",
]
TINY = ["--samples", "128", "--batch", "32", "--threads", "1", "--width", "0.25"]


def draw_folder(
    folder: Path,
    count: int,
    spelling: tuple[str, str] = ("without_mask", "With Mask"),
    seed: int = 3,
) -> Path:
    rng = np.random.default_rng(seed)
    for i in range(count):
        home = folder / spelling[i % 2]
        home.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(home / f"{i}.png"), draw_face(rng, masked=bool(i % 2)).pixels[:, :, ::-1])
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_folder(tmp_path_factory.mktemp("drawn"), 120)
    (folder / "without_mask" / "broken.png").write_bytes(b"no picture")
    draw_folder(folder, 6, ("MaskWornIncorrectly", "MaskWornIncorrectly"))
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``train`` wrote."""
    out = tmp_path_factory.mktemp("run")
    assert main(["train", "--data", str(data), "--out", str(out), *SMALL]) == 0
    return out


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


def test_crossval_and_loso_give_a_band_metrics_on_the_card_and_doubtful_labels(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = draw_folder(tmp_path / "other", 40, ("nomask", "mask"), seed=9)
    both = ["--data", str(data), "--data", str(other)]
    assert main(["crossval", *both, "--out", str(tmp_path), "--folds", "2", *TINY]) == 0
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


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "no folder"), ("empty", "no WithMask/"), ("masks", "both classes")],
)
def test_an_unusable_folder_is_refused(
    content: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    if content:
        folder.mkdir()
    if content == "masks":
        draw_folder(folder, 4, ("WithMask", "WithMask"))
    assert main(["train", "--data", str(folder), "--out", str(tmp_path / "out")]) == 78
    assert complaint in capsys.readouterr().err


def test_a_folder_without_one_readable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "WithMask").mkdir()
    (tmp_path / "WithMask" / "a.jpg").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="none of 1 images"):
        load(find([tmp_path]), InputShape(28, 28, 3))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["train", "--network", "alexnet"],
            "no network 'alexnet'; there are vgg16, vgg19, residual",
        ),
        (["train", "--teacher", "nowhere.pt"], "not a trainer checkpoint: nowhere.pt"),
        (["train", "--resume"], "can't resume"),
        (
            ["crossval", "--folds", "70"],
            "70 folds need 70 different photographs of each class; there are",
        ),
        (["loso", "--door", "lobby=cellar"], "door lobby: no source cellar; there are"),
        (["loso"], "the other sources have only one class"),
        (["report", "--model", "nowhere.onnx"], "model nowhere.onnx: No such file"),
        (
            ["report", "--model", "{run}/model.onnx", "--split", "{run}/report.json"],
            "split {run}/report.json: 'validation'",
        ),
        (
            ["report", "--model", "{run}/model.onnx", "--loso", "{run}/split.json"],
            "not a file that `loso` wrote",
        ),
        (
            ["report", "--model", "{run}/model.onnx", "--tight", "cellar"],
            "none of the sources cellar is among those measured",
        ),
        (
            ["report", "--model", "{run}/model.onnx", "--comparison", "nowhere.json"],
            "results nowhere.json: No such file",
        ),
    ],
)
def test_unusable_options_are_refused_with_their_reason(
    arguments: list[str],
    complaint: str,
    run: Path,
    data: Path,
    tmp_path: Path,
    *,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [argument.format(run=run) for argument in arguments]
    small = (
        TINY
        if arguments[0] in ("train", "crossval", "loso") and "--network" not in arguments
        else []
    )
    assert main([*filled, "--data", str(data), "--out", str(tmp_path), *small]) in (65, 66, 78)
    assert complaint.format(run=run) in capsys.readouterr().err


def test_unusable_files_for_an_export_are_refused_with_their_reason(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.pt").write_bytes(b"no checkpoint")
    assert (
        main(["export", "--checkpoint", str(tmp_path / "no.pt"), "--out", str(tmp_path / "m.onnx")])
        == 78
    )
    assert "not a trainer checkpoint" in capsys.readouterr().err
    assert (
        main(
            [
                "export",
                "--checkpoint",
                str(run / "checkpoint.pt"),
                "--out",
                str(tmp_path / "m.onnx"),
                "--loso",
                "nowhere.json",
            ]
        )
        == 78
    )
    assert "results nowhere.json: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "d", "--out", "o"],
        ["evaluate", "--data", "d", "--model", "m"],
        ["crossval", "--data", "d", "--out", "o"],
        ["loso", "--data", "d", "--out", "o"],
        ["compare", "--data", "d", "--out", "o"],
        ["audit-labels", "--loso", "l", "--out", "o"],
        ["size"],
        ["export", "--checkpoint", "c", "--out", "o"],
        ["report", "--data", "d", "--out", "o", "--model", "m"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_option_of_a_command_is_a_parameter_of_its_function(arguments: list[str]) -> None:
    options = vars(parser().parse_args(arguments))
    command: Command = options.pop("command")
    if command.trains:
        options = with_recipe(options)
    inspect.signature(command.run).bind(**options)
    assert set(inspect.signature(command.run).parameters) == set(options)


def test_images_that_several_selections_share_are_decoded_once(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counting(body: bytes, *others: Any) -> Pixels:
        decoded.append(len(body))
        return decode(body, *others)

    monkeypatch.setattr("trainer.data.labelled_images.decode", counting)
    files = find([data])
    small, large = InputShape(28, 28, 3), InputShape(112, 112, 3)
    everything, some = load_all([(files, small), (files[:5], large)])
    assert len(decoded) == len(files)
    assert (len(everything.paths), len(some.paths)) == (120, 5)
    assert some.pixels.shape[1:] == (112, 112, 3)
    assert (some.pixels == load(files[:5], large).pixels).all()


def test_size_names_the_widest_network_within_a_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "size",
                "--network",
                "xception",
                "--width",
                "0.5",
                "--width",
                "1",
                "--budget-parameters",
                "50000",
            ]
        )
        == 0
    )
    assert "--network xception --width 0.5" in capsys.readouterr().out
    assert (
        main(["size", "--network", "xception", "--width", "0.5", "--budget-parameters", "10"]) == 78
    )
    assert "no width of xception is within the budget" in capsys.readouterr().err
