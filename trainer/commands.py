"""What ``python -m trainer`` does, a function a command: each wires data, training and results, and says what came of it."""

import argparse
import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from contract.errors import ConfigurationError
from contract.model import Model
from trainer import budget, distributed, holdout
from trainer.calibration import Band
from trainer.copy_paste import cut_masks
from trainer.data import INCORRECT_FOLDERS, LabelledImages, find, load, require_both_classes
from trainer.evaluate import RATES, band_of, measures, p_mask_of
from trainer.export import Checking
from trainer.export import export as write_model
from trainer.fit import Look, Recipe, Trained, fit, input_shape, kept_shape, restore, save
from trainer.groups import group
from trainer.latency import latencies
from trainer.networks import NETWORKS, Mirrored
from trainer.pictures import contact_sheet, png
from trainer.progress import progress
from trainer.report import Material
from trainer.report import report as write_report
from trainer.robustness import CORRUPTED_SHAPE

#: Pictures that int8's ranges are measured on, and at most so many that are corrupted for a report.
_CALIBRATION, _CORRUPTED = 512, 1000

log = structlog.get_logger()


def train(arguments: argparse.Namespace) -> None:
    """``train``: checkpoint.pt, model.onnx with its card, split.json, TensorBoard's events and, unless refused, a report."""
    recipe: Recipe = arguments.recipe
    files = find(arguments.data)
    require_both_classes(files)
    apart = find(arguments.validation) if arguments.validation else []
    images = load([*files, *apart], kept_shape(recipe))
    groups = group(images.fingerprints, images.labels)
    if apart:
        validates = np.isin([str(path) for path in images.paths], [str(file.path) for file in apart])
    else:
        validates = holdout.validation_split(images.labels, groups, np.ones(len(groups), bool))
    training = images.subset(~validates, kept_shape(recipe))
    validation = images.subset(validates, input_shape(recipe))
    arguments.out.mkdir(parents=True, exist_ok=True)
    log.info("training.started", images=len(training.labels), validation=len(validation.labels), skipped=images.skipped)
    masks = cut_masks(training, groups[~validates])
    start = _start(arguments.start, recipe)
    teachers = [restore(path)[0].network for path in arguments.teacher]
    first = distributed.place()[0] == 0
    with progress(recipe.samples, arguments.out / "events") if first else nullcontext(_unheard) as tell:
        saving = {"state_path": arguments.out / "training.pt", "resume": arguments.resume}
        trained = fit(training, validation, recipe, tell, teachers=teachers, masks=masks, start=start, **saving)
    if not first:
        return
    checking = _checking(training, validation, recipe)
    facts = _facts(images, trained, checking, len(teachers))
    model = write_model(trained, facts, arguments.out / "model.onnx", checking)
    save(trained, arguments.out / "checkpoint.pt", facts)
    (arguments.out / "split.json").write_text(json.dumps({"validation": [str(path) for path in validation.paths]}, indent=1) + "\n")
    (arguments.out / "training.pt").unlink(missing_ok=True)
    log.info("training.done", seconds=round(trained.seconds), model=model.card.name, written=facts["precision"], **facts["metrics"])
    if not arguments.no_report:
        measured = {str(path) for path in validation.paths}
        _report(
            arguments.out / "model.onnx",
            arguments.out,
            data=[*arguments.data, *arguments.validation],
            images=images,
            groups=groups,
            measured=measured,
        )


def _start(path: Path | None, recipe: Recipe) -> nn.Module | None:
    """The weights that a training of this recipe begins with."""
    if path is None:
        return None
    trained = restore(path)[0]
    for name in ("network", "width", "side_px", "channels"):
        has, wanted = getattr(trained.recipe, name), getattr(recipe, name)
        if has != wanted:
            msg = f"can't start from {path}: its {name} is {has}, not {wanted}"
            raise ConfigurationError(msg)
    return trained.network.network if isinstance(trained.network, Mirrored) else trained.network


def _unheard(_: Look) -> None:
    """Of several processes, the first speaks."""


def evaluate(arguments: argparse.Namespace) -> None:
    """``evaluate``: a table by source, or JSON over all."""
    model = Model.load(arguments.model)
    images = load(find(arguments.data), model.card.input)
    p_mask, band = p_mask_of(model, images.pixels), band_of(model.card)
    if arguments.json:
        print(json.dumps({**measures(p_mask, images.labels, band), "skipped": images.skipped, "model": model.card.name}))
        return
    names = sorted(set(images.sources))
    rows = {name: measures(p_mask[images.of([name])], images.labels[images.of([name])], band) for name in names}
    _print_table("source", {**rows, "all": measures(p_mask, images.labels, band)})
    if images.skipped:
        print(f"{images.skipped} files skipped: named above")


def crossval(arguments: argparse.Namespace) -> None:
    """``crossval``: a table and crossval.json."""
    recipe: Recipe = arguments.recipe
    images, groups = _images(arguments, recipe)
    with progress(recipe.samples * arguments.folds, None) as tell:
        told = holdout.cross_validate(images, groups, recipe, arguments.folds, tell, start=_start(arguments.start, recipe))
    _write(told, arguments.out / "crossval.json")
    _print_table("fold", {**{str(i + 1): row for i, row in enumerate(told["folds"])}, "all": told["all"]})
    for name in RATES:
        interval = told["all"]["wilson"].get(name)
        wilson = "" if interval is None else f", over all pictures [{interval[0]:.4f}, {interval[1]:.4f}]"
        mean, spread = told["mean"][name], told["spread"][name]
        print(f"{name:9} not defined" if mean is None else f"{name:9} mean {mean:.4f}, standard deviation {spread:.4f}{wilson}")


def loso(arguments: argparse.Namespace) -> None:
    """``loso``: a table by door and seed, and loso.json, written door by door: what stands there of the same recipe is not done again."""
    recipe: Recipe = arguments.recipe
    images, groups = _images(arguments, recipe)
    doors = dict(arguments.door) or {source: [source] for source in sorted(set(images.sources))}
    path, told = arguments.out / "loso.json", {"recipe": asdict(recipe), "doors": {}}
    if path.exists() and (before := holdout.read_results(path)).get("recipe") == told["recipe"]:
        told["doors"] = {name: door for name, door in before["doors"].items() if len(door["runs"]) == arguments.seeds}
    left = {name: sources for name, sources in doors.items() if name not in told["doors"]}
    with progress(recipe.samples * len(left) * arguments.seeds, None) as tell:
        for name, door in holdout.leave_one_source_out(images, groups, recipe, doors=left, seeds=arguments.seeds, tell=tell):
            told["doors"][name] = door
            _write(told, path)
    band = holdout.choose_band(told, holdout.TARGET, holdout.COVERAGE)
    rows = {f"{door['door']} {i}": row for door in holdout.door_rows(told, band) for i, row in enumerate(door["runs"])}
    print(f"threshold {band.threshold}, uncertain between {band.uncertain_from} and {band.uncertain_to}")
    _print_table("door, seed", rows)


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
    images, groups = _images(arguments, recipe)
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
            checking = _checking(training, asked, own)
            facts = _facts(images, trained, checking, 0)
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
    _write({"networks": rows}, arguments.out / "comparison.json")
    table = Table("network", "written as", "parameters", "bytes", "µs per crop", "of the notebook's", *RATES)
    for row in rows:
        cells = [row["network"], row["written"], f"{row['parameters']:,}", f"{row['bytes']:,}", f"{row['us_per_crop']:.1f}"]
        table.add_row(*cells, f"{row['ratio']:.2f}", *(f"{row[name]:.4f}" for name in RATES))
    _print(table)


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
    _print(table)
    if arguments.budget_us is None and arguments.budget_parameters is None:
        return
    chosen = budget.largest_within(found, arguments.budget_us, arguments.budget_parameters)
    if chosen is None:
        msg = f"no width of {arguments.sized} is within the budget"
        raise ConfigurationError(msg)
    print(f"--network {chosen.network} --width {chosen.width}, written as {chosen.written}")


def export(arguments: argparse.Namespace) -> None:
    """``export``: a checkpoint as ONNX; the band and the card's figures from the results named."""
    trained, facts = restore(arguments.checkpoint)
    checking = Checking(*(facts["checking"][name].numpy() for name in ("calibration", "pixels", "labels")))
    band = None
    if arguments.crossval is not None:
        told = holdout.read_results(arguments.crossval)
        band = holdout.choose_band(told, arguments.target, arguments.coverage, arguments.threshold)
        facts["metrics"] |= {f"crossval_{name}": value for name, value in told["mean"].items() if value is not None}
    if arguments.loso is not None:
        left_out = holdout.read_results(arguments.loso)
        judges = arguments.judge or list(left_out["doors"])
        if missing := sorted(set(judges) - set(left_out["doors"])):
            msg = f"results {arguments.loso}: no door {', '.join(missing)}; there are {', '.join(left_out['doors'])}"
            raise ConfigurationError(msg)
        judging = {"doors": {name: left_out["doors"][name] for name in judges}}
        band = holdout.choose_band(judging, arguments.target, arguments.coverage, arguments.threshold)
        facts["metrics"] |= _door_figures(judging, band)
    model = write_model(trained, facts, arguments.out, checking, band=band, precision=arguments.precision)
    size_bytes = arguments.out.stat().st_size
    log.info(
        "export.done", file=str(arguments.out), model=model.card.name, sha256=model.sha256, bytes=size_bytes, variants=facts["variants"]
    )


def report(arguments: argparse.Namespace) -> None:
    """``report``: everything that is known of a model."""
    images, groups = _images(arguments, Recipe())
    measured: set[str] | None = None
    if arguments.split is not None:
        try:
            measured = set(json.loads(arguments.split.read_text())["validation"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"split {arguments.split}: {error}"
            raise ConfigurationError(msg) from None
        if not measured & {str(path) for path in images.paths}:
            msg = f"split {arguments.split}: none of its pictures is below {', '.join(map(str, arguments.data))}"
            raise ConfigurationError(msg)
    given = {name: getattr(arguments, name) for name in ("crossval", "loso", "comparison")}
    results = {name: None if path is None else holdout.read_results(path) for name, path in given.items()}
    made: dict[str, Any] = {"images": images, "groups": groups, "measured": measured, "tight": arguments.tight, **results}
    _report(arguments.model, arguments.out, data=arguments.data, **made)


def _report(
    model_path: Path,
    out: Path,
    *,
    data: list[Path],
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    measured: set[str] | None,
    tight: Collection[str] = (),
    crossval: dict[str, Any] | None = None,
    loso: dict[str, Any] | None = None,
    comparison: dict[str, Any] | None = None,
) -> None:
    shape = Model.load(model_path).card.input
    chosen = np.asarray([measured is None or str(path) in measured for path in images.paths])
    files = [file for file in find(data) if measured is None or str(file.path) in measured]
    corrupted = [file for file in files if not tight or file.source in tight]
    if not corrupted:
        msg = f"no picture to measure robustness on: none of the sources {', '.join(tight)} is among those measured"
        raise ConfigurationError(msg)
    some = np.random.default_rng(0).permutation(len(corrupted))[:_CORRUPTED]
    incorrect = find(data, INCORRECT_FOLDERS)
    material = Material(
        model_path=model_path,
        baseline=budget.baseline(),
        images=load([file for file in files if file.path in set(np.asarray(images.paths)[chosen])], shape),
        to_corrupt=load([corrupted[i] for i in sorted(some)], CORRUPTED_SHAPE),
        all_images=images,
        groups=groups,
        incorrect=load(incorrect, shape) if incorrect else None,
        cross_validation=crossval,
        left_out=loso,
        comparison=() if comparison is None else comparison["networks"],
    )
    numbers = write_report(material, out)
    whole = numbers["measured"][0]
    log.info("report.done", file=str(out / "report.html"), n=whole["n"], **{name: whole[name] for name in RATES})


def _images(arguments: argparse.Namespace, recipe: Recipe) -> tuple[LabelledImages, npt.NDArray[np.int64]]:
    files = find(arguments.data)
    require_both_classes(files)
    images = load(files, kept_shape(recipe))
    return images, group(images.fingerprints, images.labels)


def _checking(training: LabelledImages, checked: LabelledImages, recipe: Recipe) -> Checking:
    some = np.zeros(len(training.labels), bool)
    some[np.random.default_rng(0).permutation(len(some))[:_CALIBRATION]] = True
    return Checking(training.subset(some, input_shape(recipe)).pixels, checked.pixels, checked.labels)


def _facts(images: LabelledImages, trained: Trained, checking: Checking, teachers: int) -> dict[str, Any]:
    """What the card says of a training besides its recipe, and what exporting it again needs, as tensors."""
    counts = Counter(zip(images.sources, images.labels.tolist(), strict=True))
    return {
        "trained_at": dt.datetime.now(dt.UTC).date().isoformat(),
        "data_sha256": images.sha256,
        "metrics": {},
        "sources": {name: {"mask": counts[name, 1], "no_mask": counts[name, 0]} for name in sorted(set(images.sources))},
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "samples": trained.recipe.samples,
        "teachers": teachers,
        "seed": trained.recipe.seed,
        "seconds": trained.seconds,
        "checking": {name: torch.from_numpy(getattr(checking, name)) for name in ("calibration", "pixels", "labels")},
    }


def _door_figures(left_out: dict[str, Any], band: Band) -> dict[str, float]:
    """Means over doors and seeds for the card."""
    rows = [row for door in holdout.door_rows(left_out, band) for row in door["runs"]]
    figures = {"new_door_accuracy": [row["accuracy"] for row in rows], "new_door_auc": [row["auc"] for row in rows]}
    figures |= {f"new_door_decided_{name}": [row["decided"][name] for row in rows] for name in ("coverage", "accuracy")}
    defined = {name: [value for value in values if value is not None] for name, values in figures.items()}
    return {name: float(np.mean(values)) for name, values in defined.items() if values}


def _write(told: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told) + "\n")


def _print_table(first: str, rows: dict[str, dict[str, Any]]) -> None:
    table = Table(first, "n", *RATES, "coverage", "decided accuracy", "decided precision", "decided recall")
    for name, row in rows.items():
        values = [*(row[rate] for rate in RATES), *(row["decided"][k] for k in ("coverage", "accuracy", "precision", "recall"))]
        table.add_row(name, str(row["n"]), *("–" if value is None else f"{value:.4f}" for value in values))
    _print(table)


def _print(table: Table) -> None:
    """As wide as the terminal; elsewhere wide enough for every column."""
    Console(width=None if Console().is_terminal else 140).print(table)
