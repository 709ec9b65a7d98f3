"""Commands that study networks, data and doors, and make no model to serve: the arguments of each are in ``__main__``."""

import argparse
import csv
from dataclasses import asdict, replace
from pathlib import Path

from rich.table import Table

from contract.errors import ConfigurationError
from trainer import budget, holdout
from trainer.copy_paste import cut_masks
from trainer.evaluate import RATES, band_of, measures, p_mask_of
from trainer.export import export as write_model
from trainer.fit import fit
from trainer.latency import latencies
from trainer.material import checking_of, facts_of, grouped_images, starting_weights
from trainer.networks import NETWORKS
from trainer.pictures import contact_sheet, png
from trainer.progress import progress
from trainer.recipe import Recipe, input_shape, kept_shape
from trainer.tables import print_measures, print_table, write_json


def crossval(arguments: argparse.Namespace) -> None:
    """``crossval``: a table and crossval.json."""
    recipe: Recipe = arguments.recipe
    images, groups = grouped_images(arguments, recipe)
    with progress(recipe.samples * arguments.folds, None) as tell:
        told = holdout.cross_validate(images, groups, recipe, arguments.folds, tell, start=starting_weights(arguments.start, recipe))
    write_json(told, arguments.out / "crossval.json")
    print_measures("fold", {**{str(i + 1): row for i, row in enumerate(told["folds"])}, "all": told["all"]})
    for name in RATES:
        interval = told["all"]["wilson"].get(name)
        wilson = "" if interval is None else f", over all pictures [{interval[0]:.4f}, {interval[1]:.4f}]"
        mean, spread = told["mean"][name], told["spread"][name]
        print(f"{name:9} not defined" if mean is None else f"{name:9} mean {mean:.4f}, standard deviation {spread:.4f}{wilson}")


def loso(arguments: argparse.Namespace) -> None:
    """``loso``: a table by door and seed, and loso.json, written door by door: what stands there of the same recipe is not done again."""
    recipe: Recipe = arguments.recipe
    images, groups = grouped_images(arguments, recipe)
    doors = dict(arguments.door) or {source: [source] for source in sorted(set(images.sources))}
    path, told = arguments.out / "loso.json", {"recipe": asdict(recipe), "doors": {}}
    if path.exists() and (before := holdout.read_results(path)).get("recipe") == told["recipe"]:
        told["doors"] = {name: door for name, door in before["doors"].items() if len(door["runs"]) == arguments.seeds}
    left = {name: sources for name, sources in doors.items() if name not in told["doors"]}
    with progress(recipe.samples * len(left) * arguments.seeds, None) as tell:
        for name, door in holdout.leave_one_source_out(images, groups, recipe, doors=left, seeds=arguments.seeds, tell=tell):
            told["doors"][name] = door
            write_json(told, path)
    band = holdout.choose_band(told, holdout.TARGET, holdout.COVERAGE)
    rows = {f"{door['door']} {i}": row for door in holdout.door_rows(told, band) for i, row in enumerate(door["runs"])}
    print(f"threshold {band.threshold}, uncertain between {band.uncertain_from} and {band.uncertain_to}")
    print_measures("door, seed", rows)


def audit_labels(arguments: argparse.Namespace) -> None:
    """``audit-labels``: what an annotator should look at again."""
    told = holdout.read_results(arguments.crossval)
    if "predictions" not in told:
        msg = f"results {arguments.crossval}: of no cross-validation"
        raise ConfigurationError(msg)
    doubtful = holdout.doubtful_labels(holdout.out_of_fold(told))
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ("path", "source", "label", "p_mask"))
        writer.writeheader()
        writer.writerows(doubtful)
    captions = [f"{'mask' if row['label'] else 'bare'} p={row['p_mask']:.2f}" for row in doubtful]
    (arguments.out / "labels.png").write_bytes(png(contact_sheet([Path(row["path"]) for row in doubtful], captions)))
    print(f"{len(doubtful)} of {len(told['predictions']['labels'])} labels in doubt: {arguments.out}/labels.csv, labels.png")


def compare(arguments: argparse.Namespace) -> None:
    """``compare``: every network on one split, and what float and int8 cost."""
    recipe: Recipe = arguments.recipe
    images, groups = grouped_images(arguments, recipe)
    test = holdout.folds(images.labels, groups, 5, 0)[0]
    validates = holdout.validation_split(images.labels, groups, ~test)
    asked = images.subset(test, input_shape(recipe))
    contents, rows = {"baseline": budget.baseline()}, []
    with progress(recipe.samples * len(NETWORKS), None) as tell:
        for name in NETWORKS:
            own = replace(recipe, network=name, width=1.0)
            training = images.subset(~test & ~validates, kept_shape(own))
            validation = images.subset(validates, input_shape(own))
            trained = fit(training, validation, own, tell, masks=cut_masks(training, groups[~test & ~validates]))
            checking = checking_of(training, asked, own)
            facts = facts_of(images, trained, checking, 0)
            for written in ("float", "int8"):
                path = arguments.out / f"{name}-{written}.onnx"
                model = write_model(trained, facts, path, checking, precision=written)
                contents[f"{name}/{written}"] = path.read_bytes()
                row = measures(p_mask_of(model, asked.pixels), asked.labels, band_of(model.card))
                rows.append({"network": name, "written": written, "parameters": facts["parameters"], "bytes": path.stat().st_size, **row})
    cost = latencies(contents)
    for row in rows:
        row["us_per_crop"] = cost[f"{row['network']}/{row['written']}"].median_us
        row["ratio"] = row["us_per_crop"] / cost["baseline"].median_us
    write_json({"networks": rows}, arguments.out / "comparison.json")
    table = Table("network", "written as", "parameters", "bytes", "µs per crop", "of the notebook's", *RATES)
    for row in rows:
        cells = [row["network"], row["written"], f"{row['parameters']:,}", f"{row['bytes']:,}", f"{row['us_per_crop']:.1f}"]
        table.add_row(*cells, f"{row['ratio']:.2f}", *(f"{row[name]:.4f}" for name in RATES))
    print_table(table)


def size(arguments: argparse.Namespace) -> None:
    """``size``: what a width costs."""
    if arguments.sized not in NETWORKS:
        msg = f"no network {arguments.sized!r}; there are {', '.join(NETWORKS)}"
        raise ConfigurationError(msg)
    found = budget.sizes(arguments.sized, arguments.channels, arguments.side_px, arguments.width or budget.WIDTHS)
    table = Table("width", "written as", "parameters", "bytes", "µs per crop", "of the notebook's CNN")
    for row in found:
        cells = (f"{row.width}", row.written, f"{row.parameters:,}", f"{row.size_bytes:,}", f"{row.us_per_crop:.1f}", f"{row.ratio:.2f}")
        table.add_row(*cells)
    print_table(table)
    if arguments.budget_us is None and arguments.budget_parameters is None:
        return
    chosen = budget.largest_within(found, arguments.budget_us, arguments.budget_parameters)
    if chosen is None:
        msg = f"no width of {arguments.sized} is within the budget"
        raise ConfigurationError(msg)
    print(f"--network {chosen.network} --width {chosen.width}, written as {chosen.written}")
