"""``evaluate``: the metrics of a model file on image folders."""

import argparse
from pathlib import Path

import msgspec

from maskgate.inference.model import Model
from trainer.commands import options
from trainer.data.labelled_images import find, load
from trainer.evaluation.metrics import (
    Metrics,
    band_of,
    classification_metrics,
    extend,
    p_mask_of,
)
from trainer.report.tables import print_metrics


class Evaluation(Metrics, frozen=True, kw_only=True):
    """What ``--json`` prints; ``skipped`` is the number of unreadable files."""

    skipped: int
    model: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate``."""
    options.add_data(parser)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")


def evaluate(*, data: list[Path], model: Path, as_json: bool) -> None:
    """Print a table by source, or JSON over all images.

    Raises:
        ConfigurationError: the images can't be used.
        ModelError: the model file can't be used.
    """
    loaded = Model.load(model)
    images = load(find(data), loaded.card.input)
    p_mask, band = p_mask_of(loaded, images.pixels), band_of(loaded.card)
    overall = classification_metrics(p_mask, images.labels, band)
    if as_json:
        evaluation = extend(overall, Evaluation, skipped=images.skipped, model=loaded.card.name)
        print(msgspec.json.encode(evaluation).decode())
        return
    rows = {}
    for name in sorted(set(images.sources)):
        here = images.of([name])
        rows[name] = classification_metrics(p_mask[here], images.labels[here], band)
    print_metrics("source", {**rows, "all": overall})
    if images.skipped:
        print(f"{images.skipped} files were skipped; the log names them")


COMMAND = options.Command(
    "evaluate", "measure a model file on a folder of images", add_options, evaluate
)
