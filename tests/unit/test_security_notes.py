import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NOTES = (ROOT / "SECURITY.md").read_text()


def test_every_test_that_the_security_notes_name_is_there() -> None:
    named = re.findall(r"`((?:faults|unit|integration|e2e)/\w+\.py)(?:::(\w+))?`", NOTES)
    assert len(named) > 20
    missing = [
        f"{file}::{name}"
        for file, name in named
        if f"def {name}" not in (ROOT / "tests" / file).read_text()
    ]
    assert not missing
