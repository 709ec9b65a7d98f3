"""``size``: the cost of a network by its width."""

import argparse

from rich.table import Table

from maskgate.protocol.errors import ConfigurationError
from trainer.commands import options
from trainer.evaluation import budget
from trainer.networks.architectures import NETWORKS
from trainer.report.tables import print_table
from trainer.training.recipe import Recipe


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``size``."""
    parser.add_argument("--network", default=Recipe().network)
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3)
    parser.add_argument("--side-px", type=int, default=28)
    options.add_repeatable(
        parser, "--width", "measure this width", metavar="WIDTH", dest="widths", kind=float
    )
    parser.add_argument(
        "--budget-us", type=float, metavar="µS", help="per crop, one thread, 32 at a time"
    )
    parser.add_argument("--budget-parameters", type=int, metavar="N")


def size(
    *,
    network: str,
    channels: int,
    side_px: int,
    widths: list[float],
    budget_us: float | None,
    budget_parameters: int | None,
) -> None:
    """Print the cost of each width and, if there is a budget, the widest network within it.

    Raises:
        ConfigurationError: there is no such network, or no width is within the budget.
    """
    if network not in NETWORKS:
        msg = f"no network {network!r}; there are {', '.join(NETWORKS)}"
        raise ConfigurationError(msg)
    sizes = budget.sizes(network, channels, side_px, widths or budget.WIDTHS)
    print_table(_table(sizes))
    if budget_us is None and budget_parameters is None:
        return
    chosen = budget.largest_within(sizes, budget_us, budget_parameters)
    if chosen is None:
        msg = f"no width of {network} is within the budget"
        raise ConfigurationError(msg)
    print(f"--network {chosen.network} --width {chosen.width}, written as {chosen.written}")


def _table(sizes: list[budget.Size]) -> Table:
    table = Table(
        "width", "written as", "parameters", "bytes", "µs per crop", "of the notebook's CNN"
    )
    for row in sizes:
        table.add_row(
            f"{row.width}",
            row.written,
            f"{row.parameters:,}",
            f"{row.size_bytes:,}",
            f"{row.us_per_crop:.1f}",
            f"{row.ratio:.2f}",
        )
    return table


COMMAND = options.Command(
    "size",
    "what each width of a network costs; with a budget, the widest within it",
    add_options,
    size,
)
