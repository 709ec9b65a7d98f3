"""OpenCV and onnxruntime read the environment once, when they are imported: it is set by then."""

import os
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
        if name == "onnxruntime":
            print("onnxruntime sees", os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Spy())
"""
SEES = {"cv2": f"cv2 sees {1 << 26}", "onnxruntime": "onnxruntime sees 1"}
LOADERS = [
    (".".join(path.relative_to(ROOT).with_suffix("").parts), library)
    for folder in ("maskgate", "worker", "producer", "desk", "trainer", "demo")
    for path in (ROOT / folder).rglob("*.py")
    for library in SEES
    if any(
        line.startswith((f"import {library}", f"from {library}"))
        for line in path.read_text().splitlines()
    )
]


def clean(home: Path) -> dict[str, str]:
    """An environment in which onnxruntime would send telemetry: it never does in CI."""
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def test_there_is_something_to_test() -> None:
    assert {library for _, library in LOADERS} == SEES.keys()


@pytest.mark.parametrize(("module", "library"), LOADERS)
def test_whichever_module_is_imported_first_the_library_finds_its_settings(
    module: str, library: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"{SPY}\nimport {module}"],
        cwd=ROOT,
        env=clean(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert SEES[library] in ended.stdout.splitlines()


def test_no_model_tells_its_maker_that_it_was_loaded(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from maskgate.inference.model import Model; "
        "Model.load(Path('deploy/model/mask.onnx'))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=clean(tmp_path), check=True)
    assert not list(tmp_path.iterdir()), "an identifier for telemetry"
