"""OpenCV reads its limits once, when it is imported; maskgate must have set them by then."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SPY = """
import importlib.abc, os, sys
class Spy(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "cv2":
            print("cv2 sees", os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS"))
sys.meta_path.insert(0, Spy())
"""
LOADERS = [
    path
    for folder in ("contract", "worker", "producer", "trainer")
    for path in (ROOT / folder).glob("*.py")
    if "import cv2" in path.read_text()
]


@pytest.mark.parametrize("path", LOADERS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_whichever_module_is_imported_first_opencv_finds_its_limits_set(path: Path) -> None:
    program = f"{SPY}\nimport {path.parent.name}.{path.stem}"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"cv2 sees {1 << 26}" in ended.stdout.splitlines()
