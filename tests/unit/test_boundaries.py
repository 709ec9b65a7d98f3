"""Which folder may import which, read from the import statements of every module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
#: What each folder may import of this repository beside itself.
ALLOWED = {
    "maskgate": set(),
    "producer": {"maskgate"},
    "worker": {"maskgate"},
    "trainer": {"maskgate"},
    "desk": {"maskgate"},
    "demo": {"maskgate", "desk", "producer", "worker"},
}
#: The same inside the library. Nothing in it needs the gate but the command line.
ALLOWED_IN_LIBRARY = {
    "protocol": set(),
    "runtime": {"protocol"},
    "audit": {"protocol"},
    "inference": {"protocol"},
    "gate": {"protocol", "runtime"},
    "redis_functions": {"runtime"},
    "estimates": {"protocol", "runtime", "inference"},
    "operations": {"protocol", "runtime", "redis_functions"},
    "models": {"protocol", "runtime", "redis_functions"},
}


def imports_of(folder: Path) -> dict[str, set[tuple[str, ...]]]:
    """Every module below a folder, and the dotted names that it imports, in parts."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for path in folder.rglob("*.py"):
        names = found.setdefault(str(path.relative_to(ROOT)), set())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {tuple(alias.name.split(".")) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: a relative import, which this test can't follow"
                names.add(tuple((node.module or "").split(".")))
    return found


def test_every_folder_of_code_has_its_rule() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == ALLOWED.keys()
    parts = {path.parent.name for path in (ROOT / "maskgate").glob("*/__init__.py")}
    assert parts == ALLOWED_IN_LIBRARY.keys()


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_its_rule_allows(folder: str) -> None:
    forbidden = {*ALLOWED, "tests"} - {folder} - ALLOWED[folder]
    found = {
        module: {name[0] for name in names} & forbidden
        for module, names in imports_of(ROOT / folder).items()
    }
    assert found
    assert not {module: names for module, names in found.items() if names}


@pytest.mark.parametrize("part", ALLOWED_IN_LIBRARY)
def test_a_part_of_the_library_imports_only_what_its_rule_allows(part: str) -> None:
    allowed = {part} | ALLOWED_IN_LIBRARY[part]
    found = {
        module: {name[1] if len(name) > 1 else "" for name in names if name[0] == "maskgate"}
        for module, names in imports_of(ROOT / "maskgate" / part).items()
    }
    assert found
    assert not {module: names - allowed for module, names in found.items() if names - allowed}


def test_deploy_holds_no_python() -> None:
    assert not list((ROOT / "deploy").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("maskgate", {"cv2", "numpy", "onnxruntime", "pika", "redis", "torch"}),
        ("maskgate.gate", {"cv2", "numpy", "onnxruntime", "pika", "rich", "torch"}),
        ("maskgate.estimates.outlook", {"cv2", "numpy", "onnxruntime", "pika", "torch"}),
        # redis-py imports OpenTelemetry's metrics where they are installed.
        ("worker.__main__", {"opentelemetry.exporter", "requests", "torch"}),
        ("desk.__main__", {"cv2", "numpy", "onnxruntime", "torch"}),
        ("producer.__main__", {"onnxruntime", "opentelemetry", "redis", "torch"}),
    ],
)
def test_a_process_does_not_load_what_it_does_not_use(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in loaded
    assert not absent & set(loaded)
