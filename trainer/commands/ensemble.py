"""``ensemble``: how good the networks of several cross-validations are together."""

import argparse
from pathlib import Path

from trainer.commands import options
from trainer.evaluation.calibration import Band
from trainer.evaluation.ensemble import ensemble
from trainer.evaluation.metrics import Metrics, classification_metrics
from trainer.evaluation.results import CrossValidation, Predictions, read_results
from trainer.report.tables import print_metrics


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``ensemble``."""
    parser.add_argument(
        "--crossval",
        type=Path,
        action="append",
        required=True,
        metavar="crossval.json",
        help="of the same images; repeatable",
    )


def together(*, crossval: list[Path]) -> None:
    """Print a row for each cross-validation and one for the mean of their predictions.

    Raises:
        ConfigurationError: a file can't be read, or they are not about the same images.
    """
    members = {
        f"{number} {path.parent.name}": read_results(path, CrossValidation).predictions
        for number, path in enumerate(crossval, 1)
    }
    rows = {**members, "together": ensemble(list(members.values()))}
    print_metrics("cross-validation", {name: _metrics(row) for name, row in rows.items()})


def _metrics(predictions: Predictions) -> Metrics:
    p_mask, labels = predictions.arrays()
    return classification_metrics(p_mask, labels, Band())


COMMAND = options.Command(
    "ensemble",
    "the mean of several cross-validations' predictions, beside each of them",
    add_options,
    together,
)
