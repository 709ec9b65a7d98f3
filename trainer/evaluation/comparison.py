"""Compare networks: several kinds, input sizes and widths, in float and in int8.

Each has its cost (size, time per crop) and its metrics on each set of images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import structlog

from maskgate.inference.card import InputShape
from maskgate.inference.image import encode_pnm
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import ModelError
from trainer.augmentation.copy_paste import cut_masks
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation import budget
from trainer.evaluation.candidates import Candidate
from trainer.evaluation.held_out_domains import DECIDE_ALL, all_runs
from trainer.evaluation.latency import latencies
from trainer.evaluation.metrics import (
    Metrics,
    Rates,
    band_of,
    classification_metrics,
    extend,
    p_mask_of,
)
from trainer.evaluation.results import (
    ComparisonRow,
    CrossValidation,
    HeldOutDomains,
    LeftOutAccuracy,
    read_results,
)
from trainer.export.model_file import export
from trainer.networks.architectures import count_parameters
from trainer.training.checkpoint import Checkpoint
from trainer.training.facts import export_images, training_facts
from trainer.training.fit import fit
from trainer.training.progress import OnProgress
from trainer.training.recipe import Recipe, input_shape, kept_shape

_PRECISIONS = ("float", "int8")
BASELINE = "baseline"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ComparisonImages:
    """Images to train with, and named sets to measure on, as large as any candidate needs them.

    ``groups``, ``trains`` and ``validates`` are (n,) for the n ``images``.
    """

    images: LabelledImages
    groups: npt.NDArray[np.int64]
    trains: npt.NDArray[np.bool_]
    validates: npt.NDArray[np.bool_]
    measured: Mapping[str, LabelledImages]


def train_candidate(
    candidate: Candidate,
    recipe: Recipe,
    data: ComparisonImages,
    on_progress: OnProgress,
    out: Path,
) -> Iterator[ComparisonRow]:
    """Train a candidate, write it in both precisions below ``out`` and measure the files.

    A precision that the export refuses is logged and left out. The rows have no times yet.
    """
    own = candidate.recipe(recipe)
    training = data.images.subset(data.trains, kept_shape(own))
    validation = data.images.subset(data.validates, input_shape(own))
    masks = cut_masks(training, data.groups[data.trains])
    trained = fit(training, validation, own, on_progress, masks=masks)
    parameters = count_parameters(trained.network)
    first = next(iter(data.measured.values()))
    to_check = first.subset(np.ones(len(first.labels), bool), input_shape(own))
    checkpoint = Checkpoint(
        trained,
        training_facts(
            data.images, own, parameters=parameters, seconds=trained.seconds, teachers=0
        ),
        export_images(training, to_check, own),
    )
    for precision in _PRECISIONS:
        path = out / f"{candidate}-{precision}.onnx"
        try:
            model = export(checkpoint, path, precision=precision).model
        except ModelError as error:  # the other precisions and candidates are still of interest
            log.warning(
                "candidate.not_written",
                candidate=str(candidate),
                precision=precision,
                error=str(error),
            )
            continue
        yield measured_row(
            model,
            path,
            data.measured,
            network=candidate.network,
            width=candidate.width,
            change=candidate.change,
            written=precision,
            parameters=parameters,
            samples=own.samples,
        )


def finished_row(
    name: str, model: Model, path: Path, data: ComparisonImages, out: Path
) -> ComparisonRow:
    """The row of a finished model, whose file is copied to ``out``; without times."""
    copy = out / f"{name}.onnx"
    copy.write_bytes(path.read_bytes())
    return measured_row(
        model,
        copy,
        data.measured,
        network=name,
        width=None,
        change="",
        written="as shipped",
        parameters=None,
    )


def measured_row(
    model: Model, path: Path, image_sets: Mapping[str, LabelledImages], **described: Any
) -> ComparisonRow:
    """Measure ``model``, which was loaded from ``path``, on every set; a row without times.

    ``described`` are the fields of the row that say which network this is.
    """
    shape = model.card.input
    blank = np.zeros((shape.height, shape.width, shape.channels), np.uint8)
    message, _ = encode_pnm(blank[:, :, 0] if shape.channels == 1 else blank)
    measured = {name: _metrics(model, images, shape) for name, images in image_sets.items()}
    return extend(
        next(iter(measured.values())),
        ComparisonRow,
        side_px=shape.width,
        file=path.name,
        bytes=path.stat().st_size,
        message_bytes=len(message),
        measured=measured,
        **described,
    )


def with_times(rows: Sequence[ComparisonRow], out: Path) -> list[ComparisonRow]:
    """The rows with the times of their files in ``out``, all measured in one run."""
    contents = {row.file: (out / row.file).read_bytes() for row in rows}
    contents[BASELINE] = budget.baseline()
    one, sixteen = (latencies(contents, batch=batch) for batch in (1, 16))
    return [
        msgspec.structs.replace(
            row,
            us_alone=one[row.file].median_us,
            us_per_crop=sixteen[row.file].median_us,
            ratio=sixteen[row.file].median_us / sixteen[BASELINE].median_us,
        )
        for row in rows
    ]


def with_results(rows: Sequence[ComparisonRow], folder: Path) -> list[ComparisonRow]:
    """The rows with the results of cross-validation and of leaving domains out.

    They are in ``folder/NETWORK/crossval.json`` and ``loso.json``; either may be missing.

    Raises:
        ConfigurationError: such a file can't be read.
    """
    return [
        msgspec.structs.replace(
            row,
            cross_validation=_cross_validation(folder / row.network / "crossval.json"),
            left_out=_left_out(folder / row.network / "loso.json"),
        )
        for row in rows
    ]


def _cross_validation(path: Path) -> Rates | None:
    if not path.is_file():
        return None
    mean = read_results(path, CrossValidation).mean
    return Rates(accuracy=mean.accuracy, precision=mean.precision, recall=mean.recall)


def _left_out(path: Path) -> LeftOutAccuracy | None:
    if not path.is_file():
        return None
    runs = all_runs(read_results(path, HeldOutDomains).domains)
    rows = [classification_metrics(*run.arrays(), DECIDE_ALL) for run in runs]
    return LeftOutAccuracy(
        float(np.mean([row.accuracy for row in rows if row.accuracy is not None])), len(rows)
    )


def _metrics(model: Model, images: LabelledImages, shape: InputShape) -> Metrics:
    pixels = np.stack([reduce(image, shape) for image in images.pixels])
    return classification_metrics(p_mask_of(model, pixels), images.labels, band_of(model.card))
