"""``report``: everything that is known of a model file, as a page and as numbers."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.commands import options
from trainer.data.labelled_images import find
from trainer.data.slices import read_slices
from trainer.evaluation.held_out_domains import Domains, at_temperature
from trainer.evaluation.results import (
    Comparison,
    CrossValidation,
    HeldOutDomains,
    read_results,
)
from trainer.report.inputs import ReportResults, load_inputs
from trainer.report.report import write_report


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    options.add_data(parser)
    options.add_out(parser)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--split",
        type=Path,
        metavar="split.json",
        help="measure on the validation images of that training only",
    )
    options.add_tight(parser, "measure robustness on this source, whose faces fill the image")
    parser.add_argument(
        "--slices",
        type=Path,
        metavar="slices.csv",
        help="what each image shows: columns file and tags",
    )
    for name in ("crossval", "loso", "comparison"):
        parser.add_argument(f"--{name}", type=Path, metavar=f"{name}.json")


def report(
    *,
    data: list[Path],
    out: Path,
    model: Path,
    split: Path | None,
    tight: list[str],
    slices: Path | None,
    crossval: Path | None,
    loso: Path | None,
    comparison: Path | None,
) -> None:
    """Write report.html and report.json.

    Raises:
        ConfigurationError: the images or the results can't be used.
        ModelError: the model file can't be used.
    """
    results = ReportResults(
        cross_validation=None if crossval is None else read_results(crossval, CrossValidation),
        left_out=None if loso is None else _left_out(loso, model),
        comparison=() if comparison is None else read_results(comparison, Comparison).networks,
        slices={} if slices is None else read_slices(slices),
    )
    measured = None if split is None else _read_split(split, data)
    inputs = load_inputs(model, data, measured=measured, tight=tight, results=results)
    write_report(inputs, out)


def _left_out(loso: Path, model: Path) -> Domains:
    """The predictions for held-out domains, calibrated as the model file is."""
    factor = Model.load(model).card.metrics.get("door_temperature", 1.0)
    return at_temperature(read_results(loso, HeldOutDomains).domains, factor)


def _read_split(path: Path, data: Sequence[Path]) -> set[str]:
    """The paths of the validation images of a training.

    Raises:
        ConfigurationError: the file can't be read, or none of its images is below ``data``.
    """
    try:
        validation = set(json.loads(path.read_text())["validation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"split {path}: {error}"
        raise ConfigurationError(msg) from None
    if not validation & {str(file.path) for file in find(data)}:
        msg = f"split {path}: none of its images is below {', '.join(map(str, data))}"
        raise ConfigurationError(msg)
    return validation


COMMAND = options.Command(
    "report",
    "everything that is known of a model → report.html, report.json",
    add_options,
    report,
)
