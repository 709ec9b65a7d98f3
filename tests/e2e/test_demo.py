"""The demo as a user runs it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import demo.__main__
from producer.drawing import draw_face


def test_the_demo_sends_each_labelled_picture_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    for i, folder in enumerate(["WithMask", "WithoutMask"] * 2):
        (tmp_path / folder).mkdir(exist_ok=True)
        pixels = draw_face(rng, masked=folder == "WithMask").pixels
        cv2.imwrite(str(tmp_path / folder / f"{i}.png"), pixels[:, :, ::-1])
    argv = ["--images", str(tmp_path), "--seconds", "1", "--rate", "200"]
    assert demo.__main__.main(argv) == 0
    assert "4 of 4 samples, each sent once" in capsys.readouterr().out, "10 would be repeated ones"
