"""``train``: from image folders to a checkpoint, a model file and a report."""

import argparse
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from trainer.augmentation.copy_paste import cut_masks
from trainer.commands import options
from trainer.commands.progress_display import show_progress
from trainer.data.labelled_images import LabelledImages, find, load, require_both_classes
from trainer.evaluation.folds import validation_split
from trainer.export.model_file import export
from trainer.networks.architectures import count_parameters
from trainer.report.inputs import DataSet, load_inputs
from trainer.report.report import write_report
from trainer.training import distributed
from trainer.training.checkpoint import Checkpoint, restore, save, starting_weights
from trainer.training.facts import export_images, training_facts
from trainer.training.fit import fit
from trainer.training.progress import TrainingProgress
from trainer.training.recipe import Recipe, input_shape, kept_shape

log = structlog.get_logger()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``."""
    options.add_data(parser)
    options.add_recipe(parser)
    options.add_out(parser)
    options.add_repeatable(
        parser, "--teacher", "learn from this network too", metavar="CHECKPOINT", dest="teachers"
    )
    options.add_repeatable(
        parser, "--validation", "validate on these images; default: a part of --data", metavar="DIR"
    )
    options.add_start(parser)
    parser.add_argument(
        "--resume", action="store_true", help="continue a training that was interrupted"
    )
    parser.add_argument("--no-report", dest="with_report", action="store_false")


def train(
    *,
    data: list[Path],
    validation: list[Path],
    recipe: Recipe,
    out: Path,
    teachers: list[Path],
    start: Path | None,
    resume: bool,
    with_report: bool,
) -> None:
    """Write checkpoint.pt, model.onnx with its card, split.json, events and maybe a report.

    Raises:
        ConfigurationError: images, checkpoints or the state to resume can't be used.
        ModelError: the export was refused; checkpoint.pt and split.json are there.
    """
    everything, validates = _load(data, validation, recipe)
    images = everything.images
    trains = images.subset(~validates, kept_shape(recipe))
    watched = images.subset(validates, input_shape(recipe))
    out.mkdir(parents=True, exist_ok=True)
    log.info(
        "training.started",
        images=len(trains.labels),
        validation=len(watched.labels),
        skipped=images.skipped,
    )
    is_first = distributed.join_process_group()[0] == 0
    display = (
        show_progress(recipe.samples, out / "events") if is_first else nullcontext(_show_nothing)
    )
    with display as on_progress:
        trained = fit(
            trains,
            watched,
            recipe,
            on_progress,
            teachers=[restore(path).trained for path in teachers],
            masks=cut_masks(trains, everything.groups[~validates]),
            start=starting_weights(start, recipe),
            state_path=out / "training.pt",
            resume=resume,
        )
    if not is_first:
        return
    facts = training_facts(
        images,
        recipe,
        parameters=count_parameters(trained.network),
        seconds=trained.seconds,
        teachers=len(teachers),
    )
    checkpoint = Checkpoint(trained, facts, export_images(trains, watched, recipe))
    _save(checkpoint, watched, out)
    # After saving: the export may refuse the network.
    result = export(checkpoint, out / "model.onnx")
    log.info(
        "training.done",
        seconds=round(trained.seconds),
        model=result.model.card.name,
        written=result.precision,
        **result.model.card.metrics,
    )
    if with_report:
        measured = {str(path) for path in watched.paths}
        inputs = load_inputs(
            out / "model.onnx",
            [*data, *validation],
            known=everything,
            measured=measured,
        )
        write_report(inputs, out)


def _load(
    data: list[Path], validation: list[Path], recipe: Recipe
) -> tuple[DataSet, npt.NDArray[np.bool_]]:
    """All images, and which of them are for validation: those of ``validation``, or a split."""
    files = find(data)
    require_both_classes(files)
    apart = find(validation) if validation else []
    images = load([*files, *apart], kept_shape(recipe))
    everything = DataSet(images, images.groups())
    if apart:
        return everything, images.from_files(apart)
    among = np.ones(len(images.labels), bool)
    return everything, validation_split(images.labels, everything.groups, among)


def _save(checkpoint: Checkpoint, validation: LabelledImages, out: Path) -> None:
    save(checkpoint, out / "checkpoint.pt")
    split = {"validation": [str(path) for path in validation.paths]}
    (out / "split.json").write_text(json.dumps(split, indent=1) + "\n")
    (out / "training.pt").unlink(missing_ok=True)


def _show_nothing(_: TrainingProgress) -> None:
    """Of several processes, only the first shows the progress."""


COMMAND = options.Command(
    "train",
    "train, export, report: one command from a folder to a model",
    add_options,
    train,
    trains=True,
)
