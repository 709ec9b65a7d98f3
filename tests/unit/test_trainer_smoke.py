import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.card import InputShape
from contract.errors import ConfigurationError
from contract.model import Model
from producer.drawing import draw_face

pytest.importorskip("torch", reason="the trainer extra is not installed")

from trainer.__main__ import main
from trainer.data import find, load

# torch's exporter warns about itself
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def draw_folder(folder: Path, count: int, spelling: tuple[str, str] = ("without_mask", "With Mask")) -> Path:
    rng = np.random.default_rng(3)
    for i in range(count):
        home = folder / spelling[i % 2]
        home.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(home / f"{i}.png"), draw_face(rng, masked=bool(i % 2)).pixels[:, :, ::-1])
    return folder


def test_training_on_drawn_faces_gives_a_model_that_evaluates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = draw_folder(tmp_path / "drawn", 80), tmp_path / "out"
    (data / "without_mask" / "broken.png").write_bytes(b"no picture")
    options = ["--samples", "8192", "--batch", "64", "--ema-decay", "0.9", "--threads", "1"]
    assert main(["train", "--data", str(data), "--out", str(out), *options]) == 0
    model = Model.load(out / "model.onnx")
    capsys.readouterr()
    assert main(["evaluate", "--model", str(out / "model.onnx"), "--data", str(data), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    images = load(find([data]), model.card.input)
    called = model.p_mask(images.pixels) >= model.card.threshold
    truth = images.labels == 1
    assert (told["n"], told["skipped"]) == (80, 1)
    assert told["accuracy"] == pytest.approx(float((called == truth).mean()))
    assert told["recall"] == pytest.approx(float(called[truth].mean()))
    assert told["accuracy"] >= 0.9
    again = tmp_path / "again.onnx"
    assert main(["export", "--checkpoint", str(out / "checkpoint.pt"), "--out", str(again)]) == 0
    assert again.read_bytes() == (out / "model.onnx").read_bytes()


@pytest.mark.parametrize(("content", "complaint"), [(None, "no folder"), ("empty", "no WithMask/"), ("masks", "both classes")])
def test_an_unusable_folder_is_named(content: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    with pytest.raises(ConfigurationError, match="not one of 1 images"):
        load(find([tmp_path]), InputShape(28, 28, 3))
