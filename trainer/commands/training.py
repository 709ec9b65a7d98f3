"""What ``python -m trainer`` does, a function a command: each wires data, training and results, and says what came of it."""

import argparse
import json
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from maskgate.inference.model import Model
from maskgate.protocol.errors import ConfigurationError
from trainer.augmentation.copy_paste import cut_masks
from trainer.data.groups import group
from trainer.data.labelled_images import (
    INCORRECT_FOLDERS,
    LabelledImages,
    find,
    load,
    require_both_classes,
)
from trainer.data.material import checking_of, facts_of, grouped_images, starting_weights
from trainer.data.slices import read_slices
from trainer.evaluation import budget, holdout
from trainer.evaluation import held_out_domains as doors
from trainer.evaluation.calibration import Band
from trainer.evaluation.metrics import RATES, band_of, measures, p_mask_of
from trainer.evaluation.robustness import CORRUPTED_SHAPE
from trainer.export.model_file import Checking
from trainer.export.model_file import export as write_model
from trainer.report.report import Material
from trainer.report.report import report as write_report
from trainer.report.tables import print_measures
from trainer.training import distributed
from trainer.training.checkpoint import restore, save
from trainer.training.fit import Look, fit
from trainer.training.progress import progress
from trainer.training.recipe import Recipe, input_shape, kept_shape

#: At most so many pictures are corrupted for a report.
_CORRUPTED = 1000

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
        validates = np.isin(
            [str(path) for path in images.paths], [str(file.path) for file in apart]
        )
    else:
        validates = holdout.validation_split(images.labels, groups, np.ones(len(groups), bool))
    training = images.subset(~validates, kept_shape(recipe))
    validation = images.subset(validates, input_shape(recipe))
    arguments.out.mkdir(parents=True, exist_ok=True)
    log.info(
        "training.started",
        images=len(training.labels),
        validation=len(validation.labels),
        skipped=images.skipped,
    )
    masks = cut_masks(training, groups[~validates])
    start = starting_weights(arguments.start, recipe)
    teachers = [restore(path)[0] for path in arguments.teacher]
    first = distributed.join_process_group()[0] == 0
    with (
        progress(recipe.samples, arguments.out / "events")
        if first
        else nullcontext(_unheard) as tell
    ):
        saving = {"state_path": arguments.out / "training.pt", "resume": arguments.resume}
        trained = fit(
            training,
            validation,
            recipe,
            tell,
            teachers=teachers,
            masks=masks,
            start=start,
            **saving,
        )
    if not first:
        return
    checking = checking_of(training, validation, recipe)
    facts = facts_of(images, trained, checking, len(teachers))
    # Before the export, which may refuse the network: the training's result stays.
    save(trained, arguments.out / "checkpoint.pt", facts)
    (arguments.out / "split.json").write_text(
        json.dumps({"validation": [str(path) for path in validation.paths]}, indent=1) + "\n"
    )
    (arguments.out / "training.pt").unlink(missing_ok=True)
    model = write_model(trained, facts, arguments.out / "model.onnx", checking)
    log.info(
        "training.done",
        seconds=round(trained.seconds),
        model=model.card.name,
        written=facts["precision"],
        **facts["metrics"],
    )
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


def _unheard(_: Look) -> None:
    """Of several processes, the first speaks."""


def evaluate(arguments: argparse.Namespace) -> None:
    """``evaluate``: a table by source, or JSON over all."""
    model = Model.load(arguments.model)
    images = load(find(arguments.data), model.card.input)
    p_mask, band = p_mask_of(model, images.pixels), band_of(model.card)
    if arguments.json:
        print(
            json.dumps(
                {
                    **measures(p_mask, images.labels, band),
                    "skipped": images.skipped,
                    "model": model.card.name,
                }
            )
        )
        return
    names = sorted(set(images.sources))
    rows = {
        name: measures(p_mask[images.of([name])], images.labels[images.of([name])], band)
        for name in names
    }
    print_measures("source", {**rows, "all": measures(p_mask, images.labels, band)})
    if images.skipped:
        print(f"{images.skipped} files skipped: named above")


def export(arguments: argparse.Namespace) -> None:
    """``export``: a checkpoint as ONNX; the band and the card's figures from the results named."""
    trained, facts = restore(arguments.checkpoint)
    checking = Checking(
        *(facts["checking"][name].numpy() for name in ("calibration", "pixels", "labels"))
    )
    band = None
    if arguments.crossval is not None:
        told = holdout.read_results(arguments.crossval)
        band = doors.choose_band(
            [holdout.out_of_fold(told)], arguments.target, arguments.coverage, arguments.threshold
        )
        facts["metrics"] |= {
            f"crossval_{name}": value for name, value in told["mean"].items() if value is not None
        }
    left_out = {} if arguments.loso is None else doors.read_doors(arguments.loso)
    asked = (
        doors.asked(trained, load(find(arguments.door), input_shape(trained.recipe)))
        if arguments.door
        else {}
    )
    if left_out or asked:
        judging = _judges(left_out | asked, arguments.judge)
        factor = doors.door_temperature(doors.runs_of(judging))
        trained = replace(trained, temperature=trained.temperature * factor)
        facts["metrics"]["door_temperature"] = factor
        left_out, asked, judging = (
            doors.at_temperature(some, factor) for some in (left_out, asked, judging)
        )
        band = doors.choose_band(
            doors.runs_of(judging), arguments.target, arguments.coverage, arguments.threshold
        )
        facts["metrics"] |= _door_figures("new_door", left_out, band) | _door_figures(
            "door", asked, band
        )
    model = write_model(
        trained, facts, arguments.out, checking, band=band, precision=arguments.precision
    )
    size_bytes = arguments.out.stat().st_size
    log.info(
        "export.done",
        file=str(arguments.out),
        model=model.card.name,
        sha256=model.sha256,
        bytes=size_bytes,
        variants=facts["variants"],
    )


def report(arguments: argparse.Namespace) -> None:
    """``report``: everything that is known of a model."""
    images, groups = grouped_images(arguments, Recipe())
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
    results = {
        name: None if path is None else holdout.read_results(path) for name, path in given.items()
    }
    if results["loso"] is not None:
        factor = Model.load(arguments.model).card.metrics.get("door_temperature", 1.0)
        results["loso"] = {
            **results["loso"],
            "doors": doors.at_temperature(doors.read_doors(arguments.loso), factor),
        }
    slices = {} if arguments.slices is None else read_slices(arguments.slices)
    made: dict[str, Any] = {
        "images": images,
        "groups": groups,
        "measured": measured,
        "tight": arguments.tight,
        "slices": slices,
        **results,
    }
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
    slices: dict[str, set[str]] | None = None,
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
        images=load(
            [file for file in files if file.path in set(np.asarray(images.paths)[chosen])], shape
        ),
        to_corrupt=load([corrupted[i] for i in sorted(some)], CORRUPTED_SHAPE),
        all_images=images,
        groups=groups,
        incorrect=load(incorrect, shape) if incorrect else None,
        cross_validation=crossval,
        left_out=loso,
        comparison=() if comparison is None else comparison["networks"],
        slices=slices or {},
    )
    numbers = write_report(material, out)
    whole = numbers["measured"][0]
    log.info(
        "report.done",
        file=str(out / "report.html"),
        n=whole["n"],
        **{name: whole[name] for name in RATES},
    )


def _judges(known: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The doors named, or all of them."""
    if missing := sorted(set(names) - set(known)):
        msg = f"no door {', '.join(missing)}; there are {', '.join(known)}"
        raise ConfigurationError(msg)
    return {name: door for name, door in known.items() if name in (names or known)}


def _door_figures(prefix: str, known: dict[str, Any], band: Band) -> dict[str, float]:
    """Means over doors and seeds for the card."""
    rows = [row for door in doors.door_rows(known, band) for row in door["runs"]]
    figures = {f"{prefix}_{name}": [row[name] for row in rows] for name in ("accuracy", "auc")}
    figures |= {
        f"{prefix}_decided_{name}": [row["decided"][name] for row in rows]
        for name in ("coverage", "accuracy")
    }
    defined = {
        name: [value for value in values if value is not None] for name, values in figures.items()
    }
    return {name: float(np.mean(values)) for name, values in defined.items() if values}
