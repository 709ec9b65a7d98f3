"""``compare``: train networks with one recipe and compare them with each other."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.commands import options
from trainer.commands.progress_display import show_progress
from trainer.data.labelled_images import find, load_all, require_both_classes
from trainer.evaluation.candidates import Candidate, candidate, change
from trainer.evaluation.comparison import (
    ComparisonImages,
    finished_row,
    train_candidate,
    with_results,
    with_times,
)
from trainer.evaluation.folds import folds, validation_split
from trainer.evaluation.results import Comparison, ComparisonRow, write_json
from trainer.networks.architectures import NETWORKS
from trainer.report.tables import format_rate, print_table
from trainer.training.recipe import Recipe, kept_shape


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``compare``."""
    options.add_data(parser)
    options.add_recipe(parser)
    options.add_out(parser)
    for flag, dest, kind, metavar, text in (
        (
            "--candidate",
            "candidates",
            candidate,
            "NETWORK:PX:WIDTH",
            "train this one; default: every network at width 1",
        ),
        ("--vary", "changes", change, "OPTION=VALUE", "train each again with this option"),
        (
            "--measure",
            "measured",
            options.name_and_path,
            "NAME=DIR",
            "measure on these images; default: a fold of --data",
        ),
        (
            "--model",
            "models",
            options.name_and_path,
            "NAME=FILE.onnx",
            "measure this finished model too",
        ),
    ):
        options.add_repeatable(parser, flag, text, metavar=metavar, dest=dest, kind=kind)
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="has NETWORK/crossval.json and NETWORK/loso.json, or some of them",
    )


def compare(
    *,
    data: list[Path],
    recipe: Recipe,
    out: Path,
    candidates: list[Candidate],
    changes: list[str],
    measured: Sequence[tuple[str, Path]],
    models: Sequence[tuple[str, Path]],
    results: Path | None,
) -> None:
    """Write comparison.json and the model files, and print a table.

    Raises:
        ConfigurationError: the images or results can't be used, or no candidate could be written.
        ModelError: a finished model can't be used.
    """
    first = candidates or [Candidate(name, recipe.side_px, 1.0) for name in NETWORKS]
    varied = [replace(one, change=changed) for one in first for changed in changes]
    everyone = [*first, *varied]
    finished = [(name, Model.load(path), path) for name, path in models]
    sides_px = [one.side_px for one in everyone]
    sides_px += [model.card.input.width for _, model, _ in finished]
    images = _load(data, measured, replace(recipe, side_px=max(sides_px)))
    out.mkdir(parents=True, exist_ok=True)
    rows: list[ComparisonRow] = []
    with show_progress(recipe.samples * len(everyone)) as on_progress:
        for one in everyone:
            for row in train_candidate(one, recipe, images, on_progress, out):
                rows.append(row)
                write_json(Comparison(rows), out / "comparison.json")
    rows += [finished_row(*one, images, out) for one in finished]
    if not rows:
        msg = "no candidate could be written: the warnings above say why"
        raise ConfigurationError(msg)
    rows = with_times(rows, out)
    rows = rows if results is None else with_results(rows, results)
    write_json(Comparison(rows), out / "comparison.json")
    print_table(_table(rows))


def _load(
    data: list[Path], measured: Sequence[tuple[str, Path]], recipe: Recipe
) -> ComparisonImages:
    files, shape = find(data), kept_shape(recipe)
    require_both_classes(files)
    images, *others = load_all(
        [(files, shape), *((find([folder]), shape) for _, folder in measured)]
    )
    image_sets = dict(zip((name for name, _ in measured), others, strict=True))
    groups = images.groups()
    tests = np.zeros(len(groups), bool)
    if not measured:
        tests = folds(images.labels, groups, 5, 0)[0]
        image_sets = {"test fold": images.subset(tests, shape)}
    validates = validation_split(images.labels, groups, ~tests)
    return ComparisonImages(images, groups, ~tests & ~validates, validates, image_sets)


def _table(rows: Sequence[ComparisonRow]) -> Table:
    table = Table(
        "network",
        "input px",
        "width",
        "written as",
        "bytes",
        "bytes a message",
        "µs alone",
        "µs of 16",
        *rows[0].measured,
        "cross-validation",
        "left out",
    )
    for row in rows:
        rates = [metrics.accuracy for metrics in row.measured.values()]
        rates += [None if row.cross_validation is None else row.cross_validation.accuracy]
        rates += [None if row.left_out is None else row.left_out.accuracy]
        table.add_row(
            f"{row.network} {row.change}".strip(),
            str(row.side_px),
            "–" if row.width is None else f"{row.width:g}",
            row.written,
            f"{row.bytes:,}",
            f"{row.message_bytes:,}",
            f"{row.us_alone:.0f}",
            f"{row.us_per_crop:.0f}",
            *(format_rate(rate) for rate in rates),
        )
    return table


COMMAND = options.Command(
    "compare",
    "train networks with one recipe; float and int8, cost and accuracy → comparison.json",
    add_options,
    compare,
    trains=True,
)
