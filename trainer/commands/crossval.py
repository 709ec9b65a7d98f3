"""``crossval``: stratified, grouped cross-validation of a recipe."""

import argparse
from pathlib import Path

from trainer.commands import options
from trainer.commands.progress_display import show_progress
from trainer.data.labelled_images import find, load, require_both_classes
from trainer.evaluation.holdout import cross_validate
from trainer.evaluation.metrics import RATES, Interval
from trainer.evaluation.results import CrossValidation, write_json
from trainer.report.tables import print_metrics
from trainer.training.checkpoint import starting_weights
from trainer.training.recipe import Recipe, kept_shape


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``crossval``."""
    options.add_data(parser)
    options.add_recipe(parser)
    options.add_out(parser)
    parser.add_argument("--folds", type=int, default=5)
    options.add_repeatable(
        parser, "--also", "train on these images too, but never test on them", metavar="DIR"
    )
    options.add_start(parser)


def crossval(
    *,
    data: list[Path],
    also: list[Path],
    recipe: Recipe,
    folds: int,
    start: Path | None,
    out: Path,
) -> None:
    """Write crossval.json and print a table of the folds.

    Raises:
        ConfigurationError: the images or the starting weights can't be used.
    """
    files, only_train_files = find(data), find(also)
    require_both_classes(files)
    images = load([*files, *only_train_files], kept_shape(recipe))
    network = starting_weights(start, recipe)
    with show_progress(recipe.samples * folds) as on_progress:
        result = cross_validate(
            images,
            images.groups(),
            recipe,
            folds,
            on_progress,
            start=network,
            only_train=images.from_files(only_train_files),
        )
    write_json(result, out / "crossval.json")
    rows = {str(number + 1): row for number, row in enumerate(result.folds)}
    print_metrics("fold", {**rows, "all": result.all})
    for name in RATES:
        print(_line(name, result))


def _line(name: str, result: CrossValidation) -> str:
    mean, spread = result.mean.by_name()[name], result.spread.by_name()[name]
    if mean is None or spread is None:
        return f"{name:9} not defined"
    interval: Interval | None = getattr(result.all.wilson, name, None)
    wilson = "" if interval is None else f", over all images [{interval[0]:.4f}, {interval[1]:.4f}]"
    return f"{name:9} mean {mean:.4f}, standard deviation {spread:.4f}{wilson}"


COMMAND = options.Command(
    "crossval",
    "stratified, grouped k-fold cross-validation → crossval.json",
    add_options,
    crossval,
    trains=True,
)
