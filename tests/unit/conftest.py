"""One small training that several files of tests look at."""

from pathlib import Path

import pytest

from tests.unit.drawn_folders import SMALL, draw_folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_folder(tmp_path_factory.mktemp("drawn"), 120)
    (folder / "without_mask" / "broken.png").write_bytes(b"no picture")
    draw_folder(folder, 6, ("MaskWornIncorrectly", "MaskWornIncorrectly"))
    return folder


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``train`` wrote."""
    from trainer.__main__ import main

    out = tmp_path_factory.mktemp("run")
    assert main(["train", "--data", str(data), "--out", str(out), *SMALL]) == 0
    return out
