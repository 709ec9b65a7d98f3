"""The page's colours have the contrast of WCAG 2.2 AA, light and dark."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "desk" / "web" / "static" / "desk.css").read_text()
_BLOCKS = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in _BLOCKS)

#: Text on its background (1.4.3), and edges of controls on theirs (1.4.11).
TEXT = [
    *((text, back) for text in ("text", "quiet", "link") for back in ("page", "card", "changed")),
    *((kind, f"{kind}-back") for kind in ("good", "warn", "bad", "plain")),
    *(("on-fill", "fill"), ("text", "plain-back"), ("quiet", "plain-back")),
]
EDGES = [("edge", "page"), ("edge", "card"), ("fill", "card"), ("link", "page"), ("link", "card")]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_edges_stand_out(scheme: dict[str, str]) -> None:
    weak = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in TEXT}
    assert not {pair: ratio for pair, ratio in weak.items() if ratio < 4.5}
    edges = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in EDGES}
    assert not {pair: ratio for pair, ratio in edges.items() if ratio < 3}


def test_dark_has_every_colour_of_light() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_the_measure_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_no_page_has_anything_inline() -> None:
    """What the content policy would refuse."""
    found = {
        path.name: re.findall(
            r"<style|\bstyle=|<script(?! defer src=)|\bon[a-z]+=", path.read_text()
        )
        for path in Path(__file__).parents[2].glob("desk/*/templates/*.html")
    }
    assert found
    assert not {name: what for name, what in found.items() if what}
