from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("page", "heading"), [("README.md", "Speed"), ("docs/capacity.md", "Measured")]
)
def test_a_page_has_no_figure_on_speed_that_the_benchmark_did_not_print(
    page: str, heading: str
) -> None:
    section = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    printed = (ROOT / "docs" / "benchmarks" / "results.md").read_text().splitlines()
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert [row for row in rows if row not in printed] == []
    told = [
        line
        for line in section.splitlines()
        if not line.startswith(("|", "make ", "###")) and any(c.isdigit() for c in line)
    ]
    assert told == [], "figures stand in the tables only"
