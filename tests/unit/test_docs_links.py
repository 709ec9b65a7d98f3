import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.texts import ROOT, pages, without_blocks

INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def _links(path: Path) -> Iterator[str]:
    prose = INLINE_CODE.sub("", without_blocks(path))
    return (match.group(1) for match in LINK.finditer(prose))


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = HEADING.findall(without_blocks(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _problem(page: Path, link: str) -> str | None:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in _anchors(target):
        return f"{link}: no such heading"
    return None


def test_there_are_texts_with_links() -> None:
    assert {ROOT / "README.md", ROOT / "docs" / "adr" / "README.md"} <= set(pages())
    assert sum(1 for page in pages() for _ in _links(page)) > 50


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_exists(page: Path) -> None:
    relative = [link for link in _links(page) if not re.match(r"[a-z]+:", link)]
    assert [problem for link in relative if (problem := _problem(page, link))] == []


def test_a_missing_file_and_a_missing_heading_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title, here\n[a](#a-title-here) [b](#missing) [c](missing.md)\n")
    assert [_problem(page, link) for link in _links(page)] == [
        None,
        "#missing: no such heading",
        "missing.md: no such file",
    ]


def test_the_index_of_decisions_is_complete() -> None:
    folder = ROOT / "docs" / "adr"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert sorted(_links(folder / "README.md")) == records
    assert [name[:4] for name in records] == [f"{n:04}" for n in range(1, len(records) + 1)]


@pytest.mark.parametrize(
    "record", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=lambda record: record.stem
)
def test_a_decision_has_a_date_and_all_sections(record: Path) -> None:
    text = record.read_text()
    assert re.search(r"^- Date: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"]
