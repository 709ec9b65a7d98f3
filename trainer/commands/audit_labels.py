"""``audit-labels``: list the labels that predictions for held-out images contradict."""

import argparse
import csv
from pathlib import Path

import msgspec

from trainer.commands import options
from trainer.data.contact_sheet import contact_sheet, png
from trainer.evaluation.held_out_domains import mean_of_seeds
from trainer.evaluation.holdout import DoubtfulLabel, doubtful_labels
from trainer.evaluation.results import (
    CrossValidation,
    HeldOutDomains,
    Predictions,
    read_results,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``audit-labels``."""
    results = parser.add_mutually_exclusive_group(required=True)
    results.add_argument("--crossval", type=Path, metavar="crossval.json")
    results.add_argument("--loso", type=Path, metavar="loso.json")
    options.add_out(parser)


def audit_labels(*, crossval: Path | None, loso: Path | None, out: Path) -> None:
    """Write labels.csv and labels.png: an annotator should check these labels.

    Exactly one of ``crossval`` and ``loso`` is given.

    Raises:
        ConfigurationError: the results can't be read.
    """
    predictions = _predictions(crossval, loso)
    doubtful = doubtful_labels(predictions)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, DoubtfulLabel.__struct_fields__)
        writer.writeheader()
        writer.writerows(msgspec.structs.asdict(row) for row in doubtful)
    captions = [f"{'mask' if row.label else 'no mask'} p={row.p_mask:.2f}" for row in doubtful]
    sheet = contact_sheet([Path(row.path) for row in doubtful], captions)
    (out / "labels.png").write_bytes(png(sheet))
    share = f"{len(doubtful)} of {len(predictions.labels)}"
    print(f"{share} labels in doubt: {out}/labels.csv, labels.png")


def _predictions(crossval: Path | None, loso: Path | None) -> Predictions:
    if crossval is not None:
        return read_results(crossval, CrossValidation).predictions
    if loso is None:
        msg = "either crossval or loso is needed"
        raise ValueError(msg)
    return mean_of_seeds(read_results(loso, HeldOutDomains).domains)


COMMAND = options.Command(
    "audit-labels",
    "labels that predictions for held-out images contradict → labels.csv, labels.png",
    add_options,
    audit_labels,
)
