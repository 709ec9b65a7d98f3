"""What commands print and write: tables as wide as they need, JSON beside them."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trainer.evaluation.metrics import RATES


def write_json(told: object, path: Path) -> None:
    """Make the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told) + "\n")


def print_measures(first: str, rows: dict[str, dict[str, Any]]) -> None:
    """A row each; ``first`` names what they are by."""
    table = Table(
        first, "n", *RATES, "coverage", "decided accuracy", "decided precision", "decided recall"
    )
    for name, row in rows.items():
        values = [
            *(row[rate] for rate in RATES),
            *(row["decided"][k] for k in ("coverage", "accuracy", "precision", "recall")),
        ]
        table.add_row(
            name, str(row["n"]), *("–" if value is None else f"{value:.4f}" for value in values)
        )
    print_table(table)


def print_table(table: Table) -> None:
    """As wide as the terminal; elsewhere wide enough for every column."""
    Console(width=None if Console().is_terminal else 140).print(table)
