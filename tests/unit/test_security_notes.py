"""Each row of SECURITY.md names tests that exist, and a row that does not is found."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TABLE = "| case | test | result |\n|---|---|---|\n"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
REAL = "unit/test_security_notes.py"
#: What may stand beside names: separators, and how many cases a test has.
BESIDE = re.compile(r"[,; ]*|,? *\d+ faults|the same test;? *| *\(all of them\)")


def rows(notes: str) -> list[str]:
    """The cell of the tests of each row."""
    table = notes.partition(TABLE)[2].partition("\n\n")[0]
    return [line.split(" | ")[1] for line in table.splitlines()]


def defined_in(file: str) -> set[str]:
    path = ROOT / "tests" / file
    if not re.fullmatch(r"(faults|unit|integration|e2e)/test_\w+\.py", file) or not path.exists():
        return set()
    functions = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def complaints(notes: str) -> Iterator[str]:
    """What is wrong with each cell. "The same test" needs a row above that names just one."""
    above: list[str] = []
    for cell in rows(notes):
        names, *rest = re.findall(r"`([^`]*)`", cell), re.sub(r"`[^`]*`", "\0", cell)
        if "the same test" in cell:
            if len(above) != 1 or "::" not in above[0]:
                yield f"{cell!r}: the row above names no single test"
            names = above[:1] + names
        if not names or not all(BESIDE.fullmatch(text) for text in rest[0].split("\0")):
            yield f"{cell!r}: names no test, or has words that are not names"
        yield from (f"{cell!r}: no {name}" for name in names if not is_there(name, names[0]))
        above = names


def is_there(name: str, first: str) -> bool:
    """Whether a file, a test, a test of the first one's file (…part…) or a make target exists."""
    if name.startswith("make "):
        return name.removeprefix("make ") in TARGETS
    if part := re.fullmatch(r"…(\w+)…", name):
        return sum(part[1] in test for test in defined_in(first.partition("::")[0])) == 1
    file, separator, test = name.partition("::")
    return test in defined_in(file) if separator else bool(defined_in(file))


def test_every_row_of_the_security_notes_names_tests_that_are_there() -> None:
    notes = (ROOT / "SECURITY.md").read_text()
    assert len(rows(notes)) > 50, "the table was not found"
    assert not list(complaints(notes))


@pytest.mark.parametrize(
    "cells",
    [
        ["`unit/test_nowhere.py`"],
        ["`tests/unit/test_security_notes.py`"],
        ["`unit/__init__.py`"],
        [f"`{REAL}::test_every_row`"],
        [f"`{REAL}::tests_of`"],
        [f"`{REAL}::test_a_wrong_row_is_found`, `…nothing_like_it…`"],
        [f"`{REAL}`, `…row…`"],
        [f"`{REAL}`", "the same test"],
        [f"`{REAL}::test_a_wrong_row_is_found`, `{REAL}`", "the same test"],
        ["the same test"],
        ["by hand"],
        [f"`{REAL}` and by hand"],
        ["`make nothing`"],
        [f"{REAL}"],
    ],
    ids=" // ".join,
)
def test_a_wrong_row_is_found(cells: list[str]) -> None:
    notes = TABLE + "".join(f"| case | {cell} | result |\n" for cell in cells)
    assert len(list(complaints(notes))) >= 1


def test_a_right_row_passes() -> None:
    cells = [f"`{REAL}::test_a_right_row_passes`", "the same test", f"`{REAL}`; `make fuzz`"]
    cells.append(f"`{REAL}::test_a_right_row_passes`, `…wrong_row…`")
    notes = TABLE + "".join(f"| case | {cell} | result |\n" for cell in cells)
    assert not list(complaints(notes))
