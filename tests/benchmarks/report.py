"""Write results as JSON, as Markdown tables and as a plot."""

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt

from tests.benchmarks.figures import Claim, Results, Section, short


def write(results: Results, folder: Path) -> None:
    """Write ``results.json``, ``results.md`` and ``throughput.svg`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    reported = {
        **asdict(results),
        "claims": [{**asdict(claim), "holds": claim.holds} for claim in results.claims],
    }
    (folder / "results.json").write_text(json.dumps(reported, indent=1, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(markdown(results))
    sections = [
        section
        for section in results.sections
        if section.title.endswith(": throughput") and section.title[0].isdigit()
    ]
    if sections:
        _plot(sections, folder / "throughput.svg")


def markdown(results: Results) -> str:
    """All results as a Markdown page."""
    lines = ["# Benchmark results", ""]
    lines += [
        (
            f"Medians over {results.rounds} rounds, lowest and highest beside. "
            "What is compared was measured alternately in one run,"
        ),
        (
            "and ratios are taken within a round. "
            "Absolute figures hold for this machine and this hour."
        ),
        "",
    ]
    lines += [
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in results.machine.items()),
        "",
    ]
    if results.claims:
        lines += ["## What is wanted", "", *claims(results.claims), ""]
    for section in results.sections:
        lines += [f"## {section.title}", "", *_table(section), ""]
    return "\n".join(lines)


def claims(found: list[Claim]) -> list[str]:
    """The targets as a Markdown table."""
    lines = ["| | wanted | measured | |", "|---|---|---|---|"]
    for claim in found:
        limit = f"{'≥' if claim.at_least else '≤'} {short(claim.limit)}"
        lines.append(
            f"| {claim.wanted} | {limit} | {claim.figure} | {'yes' if claim.holds else '**no**'} |"
        )
    return lines


def _table(section: Section) -> list[str]:
    beside = f" to {section.reference} |" if section.reference else ""
    lines = [f"{section.note}\n"] if section.note else []
    lines += [f"| | {section.unit} |{beside}", "|---|---|" + ("---|" if section.reference else "")]
    for row in section.rows:
        ratio = f" {row.ratio} |" if row.ratio else " 1 |" if section.reference else ""
        lines.append(f"| {row.name} | {row.figure} |{ratio}")
    return lines


def _plot(sections: list[Section], path: Path) -> None:
    figure, axes = plt.subplots(1, len(sections), figsize=(5.5 * len(sections), 3.2), squeeze=False)
    for axis, section in zip(axes[0], sections, strict=True):
        rows = [row for row in reversed(section.rows) if row.name != "ack-only consumer"]
        medians = [row.figure.median for row in rows]
        errors = [
            [row.figure.median - row.figure.low for row in rows],
            [row.figure.high - row.figure.median for row in rows],
        ]
        bars = axis.barh(
            [row.name for row in rows], medians, xerr=errors, color="#4878a8", ecolor="#333333"
        )
        axis.bar_label(bars, [f" {short(median)}" for median in medians], padding=12, fontsize=8)
        axis.set_title(section.title, fontsize=10)
        axis.set_xlabel(section.unit)
        axis.set_xlim(0, max(row.figure.high for row in rows) * 1.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
