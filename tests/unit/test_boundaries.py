import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROCESSES = ("producer", "worker", "trainer")


def imported_by(folder: str) -> set[str]:
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("process", PROCESSES)
def test_processes_never_import_each_other(process: str) -> None:
    assert not imported_by(process) & ({*PROCESSES, "demo", "tests"} - {process})


def test_the_library_imports_no_process() -> None:
    assert not imported_by("maskgate") & {*PROCESSES, "demo", "tests"}


def test_deploy_holds_no_python() -> None:
    assert not list((ROOT / "deploy").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("worker.__main__", {"torch"}),
        ("producer.__main__", {"torch", "onnxruntime"}),
        ("maskgate.gate", {"cv2", "onnxruntime", "numpy", "pika", "torch"}),
    ],
)
def test_a_process_leaves_out_what_it_has_no_use_for(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in loaded
    assert not absent & set(loaded)
