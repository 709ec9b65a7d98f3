"""``ensemble``: how good the networks of several cross-validations are together."""

import argparse
from pathlib import Path

from trainer.commands import options
from trainer.evaluation.calibration import Band
from trainer.evaluation.ensemble import at_thresholds_of_others, ensemble
from trainer.evaluation.metrics import Metrics, classification_metrics
from trainer.evaluation.results import CrossValidation, Predictions, read_results
from trainer.report.tables import print_metrics


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``ensemble``."""
    options.add_repeatable(
        parser, "--crossval", "of the same images", metavar="crossval.json", required=True
    )


def together(*, crossval: list[Path]) -> None:
    """Print a row for each cross-validation, and two for the mean of their predictions.

    The last row is at thresholds that other photographs chose.

    Raises:
        ConfigurationError: a file can't be read, or they are not about the same images.
    """
    results = [read_results(path, CrossValidation) for path in crossval]
    members = {
        f"{number} {path.parent.name}": result.predictions
        for number, (path, result) in enumerate(zip(crossval, results, strict=True), 1)
    }
    mean = ensemble(list(members.values()))
    moved, thresholds = at_thresholds_of_others(mean, results[0].photographs)
    rows = {**members, "together": mean, "balanced": moved}
    print_metrics("cross-validation", {name: _metrics(row) for name, row in rows.items()})
    chosen = ", ".join(f"{threshold:.2f}" for threshold in thresholds)
    print(f"balanced: each fold at the threshold that the other folds chose: {chosen}")


def _metrics(predictions: Predictions) -> Metrics:
    p_mask, labels = predictions.arrays()
    return classification_metrics(p_mask, labels, Band())


COMMAND = options.Command(
    "ensemble",
    "the mean of several cross-validations' predictions, beside each of them",
    add_options,
    together,
)
