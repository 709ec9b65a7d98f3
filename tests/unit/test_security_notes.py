"""Each row of the table of cases in SECURITY.md names tests, and they exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NOTES = (ROOT / "SECURITY.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in NOTES.partition("| case | test | result |\n|---|---|---|\n")[2].splitlines()
]
_FILE = re.compile(r"`((?:faults|unit|integration|e2e)/\w+\.py)(?:::(\w+))?`")
#: `…part_of_a_name…`: another test of the file before it.
_PART = re.compile(r"`…(\w+)…`")
_ELSEWHERE = re.compile(r"the same test|`make \w+`")


def names_in(file: str) -> list[str]:
    """The names of the tests in a file below tests/."""
    return re.findall(r"^def (test_\w+)\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_a_row_names_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 3, "a row has a case, its tests and the result"
    where = row[1]
    named = _FILE.findall(where)
    assert named or _ELSEWHERE.search(where), "no test"
    for file, name in named:
        assert name in ("", *names_in(file)), f"{file} has no {name}"
    for part in _PART.findall(where):
        assert any(part in name for name in names_in(named[0][0])), part
    rest = _ELSEWHERE.sub("", _PART.sub("", _FILE.sub("", where)))
    assert not re.search(r"\w{4}", rest), f"not checked: {rest}"


def test_there_are_rows() -> None:
    assert len(ROWS) > 60
