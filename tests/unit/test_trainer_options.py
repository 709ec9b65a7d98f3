"""What the commands of the trainer accept, and what they refuse."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode
from maskgate.protocol.errors import ConfigurationError
from tests.unit.drawn_folders import TINY, draw_folder

pytest.importorskip("torch", reason="the trainer extra is not installed")


from trainer.__main__ import main, parser
from trainer.commands.options import Command, with_recipe
from trainer.data.labelled_images import find, load, load_all

# The exporter of torch gives these warnings.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)


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
        ["reference-scores", "--data", "d", "--model", "m", "--out", "o"],
        ["estimate", "--data", "d", "--model", "m"],
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
