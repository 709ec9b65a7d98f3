"""The tables that commands print."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from trainer.evaluation.metrics import RATES, Metrics

#: Wide enough for every column, if the output is not a terminal.
_WIDTH = 140


def print_metrics(first: str, rows: Mapping[str, Metrics]) -> None:
    """Print a row for each of ``rows``; ``first`` is the heading of their names."""
    table = Table(
        first, "n", *RATES, "coverage", "decided accuracy", "decided precision", "decided recall"
    )
    for name, row in rows.items():
        values = [
            *row.by_name().values(),
            row.decided.coverage,
            row.decided.accuracy,
            row.decided.precision,
            row.decided.recall,
        ]
        table.add_row(name, str(row.n), *(format_rate(value) for value in values))
    print_table(table)


def format_rate(value: float | None) -> str:
    """With 4 decimals; a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal."""
    Console(width=None if Console().is_terminal else _WIDTH).print(table)
