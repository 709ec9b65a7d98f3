"""Commands that study networks, data and doors, and make no model to serve: the arguments of each are in ``__main__``."""

import argparse
import csv
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.data.contact_sheet import contact_sheet, png
from trainer.data.labelled_images import find, load
from trainer.data.material import grouped_images, starting_weights
from trainer.evaluation import budget, holdout
from trainer.evaluation import held_out_domains as doors
from trainer.evaluation.comparison import (
    Candidate,
    Sets,
    add_costs,
    add_results,
    measured_row,
    trained_candidates,
)
from trainer.evaluation.metrics import RATES
from trainer.networks.architectures import NETWORKS
from trainer.report.tables import print_measures, print_table, write_json
from trainer.training.progress import progress
from trainer.training.recipe import Recipe, kept_shape


def crossval(arguments: argparse.Namespace) -> None:
    """``crossval``: a table and crossval.json."""
    recipe: Recipe = arguments.recipe
    images, groups = grouped_images(arguments, recipe, arguments.also)
    only_teach = np.isin(
        [str(path) for path in images.paths], [str(file.path) for file in find(arguments.also)]
    )
    start = starting_weights(arguments.start, recipe)
    with progress(recipe.samples * arguments.folds, None) as tell:
        told = holdout.cross_validate(
            images, groups, recipe, arguments.folds, tell, start=start, only_teach=only_teach
        )
    write_json(told, arguments.out / "crossval.json")
    print_measures(
        "fold", {**{str(i + 1): row for i, row in enumerate(told["folds"])}, "all": told["all"]}
    )
    for name in RATES:
        interval = told["all"]["wilson"].get(name)
        wilson = (
            ""
            if interval is None
            else f", over all pictures [{interval[0]:.4f}, {interval[1]:.4f}]"
        )
        mean, spread = told["mean"][name], told["spread"][name]
        print(
            f"{name:9} not defined"
            if mean is None
            else f"{name:9} mean {mean:.4f}, standard deviation {spread:.4f}{wilson}"
        )


def loso(arguments: argparse.Namespace) -> None:
    """``loso``: a table by door and seed, and loso.json, written door by door: what stands there of the same recipe is not done again."""
    recipe: Recipe = arguments.recipe
    images, groups = grouped_images(arguments, recipe)
    wanted = dict(arguments.door) or {source: [source] for source in sorted(set(images.sources))}
    path, told = arguments.out / "loso.json", {"recipe": asdict(recipe), "doors": {}}
    if path.exists() and (before := holdout.read_results(path)).get("recipe") == told["recipe"]:
        told["doors"] = {
            name: door
            for name, door in before["doors"].items()
            if len(door["runs"]) == arguments.seeds
        }
    left = {name: sources for name, sources in wanted.items() if name not in told["doors"]}
    with progress(recipe.samples * len(left) * arguments.seeds, None) as tell:
        for name, door in holdout.leave_one_source_out(
            images, groups, recipe, doors=left, seeds=arguments.seeds, tell=tell
        ):
            told["doors"][name] = door
            write_json(told, path)
    band = doors.choose_band(doors.runs_of(told["doors"]), doors.TARGET, doors.COVERAGE)
    rows = {
        f"{door['door']} {i}": row
        for door in doors.door_rows(told["doors"], band)
        for i, row in enumerate(door["runs"])
    }
    print(
        f"threshold {band.threshold}, uncertain between {band.uncertain_from} and {band.uncertain_to}"
    )
    print_measures("door, seed", rows)


def audit_labels(arguments: argparse.Namespace) -> None:
    """``audit-labels``: what an annotator should look at again."""
    if arguments.loso is not None:
        predictions = doors.mean_of_seeds(doors.read_doors(arguments.loso))
    else:
        told = holdout.read_results(arguments.crossval)
        if "predictions" not in told:
            msg = f"results {arguments.crossval}: of no cross-validation"
            raise ConfigurationError(msg)
        predictions = holdout.out_of_fold(told)
    doubtful = holdout.doubtful_labels(predictions)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ("path", "source", "label", "p_mask"))
        writer.writeheader()
        writer.writerows(doubtful)
    captions = [f"{'mask' if row['label'] else 'bare'} p={row['p_mask']:.2f}" for row in doubtful]
    (arguments.out / "labels.png").write_bytes(
        png(contact_sheet([Path(row["path"]) for row in doubtful], captions))
    )
    print(
        f"{len(doubtful)} of {len(predictions.labels)} labels in doubt: {arguments.out}/labels.csv, labels.png"
    )


def compare(arguments: argparse.Namespace) -> None:
    """``compare``: networks trained alike and finished models, what each costs and is worth; comparison.json."""
    recipe: Recipe = arguments.recipe
    candidates = arguments.candidate or [Candidate(name, recipe.side_px, 1.0) for name in NETWORKS]
    candidates = [
        *candidates,
        *(replace(one, change=change) for one in candidates for change in arguments.vary),
    ]
    largest = replace(recipe, side_px=max(one.side_px for one in candidates))
    images, groups = grouped_images(arguments, largest)
    test = (
        np.zeros(len(groups), bool)
        if arguments.measure
        else holdout.folds(images.labels, groups, 5, 0)[0]
    )
    measured = {
        name: load(find([folder]), kept_shape(largest)) for name, folder in arguments.measure
    }
    validates = holdout.validation_split(images.labels, groups, ~test)
    sets = Sets(
        images,
        groups,
        ~test & ~validates,
        validates,
        measured or {"test fold": images.subset(test, kept_shape(largest))},
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with progress(recipe.samples * len(candidates), None) as tell:
        for row in trained_candidates(candidates, recipe, sets, tell, arguments.out):
            rows.append(row)
            write_json({"networks": rows}, arguments.out / "comparison.json")
    rows += [_finished(name, path, sets, arguments.out) for name, path in arguments.model]
    if not rows:
        msg = "not one candidate could be written: each is named above"
        raise ConfigurationError(msg)
    add_costs(rows, arguments.out)
    if arguments.results is not None:
        add_results(rows, arguments.results)
    write_json({"networks": rows}, arguments.out / "comparison.json")
    print_table(_comparison_table(rows))


def _finished(name: str, path: Path, sets: Sets, out: Path) -> dict[str, Any]:
    model = Model.load(path)
    copy = out / f"{name}.onnx"
    copy.write_bytes(path.read_bytes())
    facts = {
        "network": name,
        "side_px": model.card.input.width,
        "width": None,
        "change": "",
        "written": "as shipped",
        "parameters": None,
    }
    return {**facts, "file": copy.name, **measured_row(model, path, sets.measured)}


def _comparison_table(rows: list[dict[str, Any]]) -> Table:
    sets = list(rows[0]["measured"])
    table = Table(
        "network",
        "input px",
        "width",
        "written as",
        "bytes",
        "bytes a message",
        "µs alone",
        "µs of 16",
        *sets,
        "cross-validation",
        "left out",
    )
    for row in rows:
        worth = [row["measured"][name]["accuracy"] for name in sets]
        worth += [row.get(name, {}).get("accuracy") for name in ("cross_validation", "left_out")]
        cells = [
            f"{row['network']} {row['change']}".strip(),
            str(row["side_px"]),
            "–" if row["width"] is None else f"{row['width']:g}",
            row["written"],
        ]
        cells += [
            f"{row['bytes']:,}",
            f"{row['message_bytes']:,}",
            f"{row['us_alone']:.0f}",
            f"{row['us_per_crop']:.0f}",
        ]
        table.add_row(*cells, *("–" if value is None else f"{value:.4f}" for value in worth))
    return table


def size(arguments: argparse.Namespace) -> None:
    """``size``: what a width costs."""
    if arguments.sized not in NETWORKS:
        msg = f"no network {arguments.sized!r}; there are {', '.join(NETWORKS)}"
        raise ConfigurationError(msg)
    found = budget.sizes(
        arguments.sized, arguments.channels, arguments.side_px, arguments.width or budget.WIDTHS
    )
    table = Table(
        "width", "written as", "parameters", "bytes", "µs per crop", "of the notebook's CNN"
    )
    for row in found:
        cells = (
            f"{row.width}",
            row.written,
            f"{row.parameters:,}",
            f"{row.size_bytes:,}",
            f"{row.us_per_crop:.1f}",
            f"{row.ratio:.2f}",
        )
        table.add_row(*cells)
    print_table(table)
    if arguments.budget_us is None and arguments.budget_parameters is None:
        return
    chosen = budget.largest_within(found, arguments.budget_us, arguments.budget_parameters)
    if chosen is None:
        msg = f"no width of {arguments.sized} is within the budget"
        raise ConfigurationError(msg)
    print(f"--network {chosen.network} --width {chosen.width}, written as {chosen.written}")
