from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = ROOT / "docs" / "benchmarks"


@pytest.mark.parametrize(
    ("page", "heading", "at_least"),
    [
        ("docs/speed.md", "Measured", 33),
        ("docs/speed.md", "Peers, tuned and in like environments", 16),
        ("docs/speed.md", "The shipped model", 8),
        ("docs/capacity.md", "Measured", 10),
    ],
)
def test_a_page_has_no_figure_on_speed_that_the_benchmark_did_not_print(
    page: str, heading: str, at_least: int
) -> None:
    section = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    printed = [
        line
        for report in ("results.md", "peers.md", "shipped.md")
        for line in (BENCHMARKS / report).read_text().splitlines()
    ]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) >= at_least
    assert [row for row in rows if row not in printed] == []
    figures_in_prose = [
        line
        for line in section.splitlines()
        if not line.startswith(("|", "###")) and any(c.isdigit() for c in line)
    ]
    assert figures_in_prose == [], "figures stand in the tables only"
