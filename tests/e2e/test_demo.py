"""The demo as a user runs it."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import demo.__main__
from producer.drawing import draw_face
from producer.scenes.record import film, record
from tests.desk_site import Browser
from tests.servers.ports import eventually
from tests.servers.processes import running

#: What it prints of the page: its address, the user and the password.
ADDRESS = re.compile(r"(http://\S+) \(user (\S+), password (\S+)\)")

pytestmark = pytest.mark.usefixtures("installed_detector")


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


def test_the_demo_shows_who_came_on_a_video_and_the_page(tmp_path: Path) -> None:
    video, log = tmp_path / "door.mp4", tmp_path / "demo.log"
    record(film("takes_mask_off", 4), video, fps=10, seconds=8)
    with running("demo", "--video", str(video), environment={}, log=log) as process:
        found = eventually(lambda: ADDRESS.search(log.read_text()), 30, "the page's address")
        assert found
        with Browser(found[1]) as browser:
            assert browser.sign_in(found[2], found[3]).status_code == 303
            assert "lobby" in browser.get("/doors").text
            assert browser.get("/precision").status_code == 200
        assert process.wait(60) == 0
    printed = log.read_text()
    assert "the totals add up" in printed
    decided = printed[printed.index("visits") :]
    assert decided.index("remove_mask") < decided.index("recognise")


def test_the_demo_names_a_video_that_it_cannot_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert demo.__main__.main(["--video", str(tmp_path / "text.mp4")]) == 78
    assert "not a video" in capsys.readouterr().err
