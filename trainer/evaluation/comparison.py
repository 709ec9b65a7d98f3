"""Compare networks: several kinds, input sizes and widths, in float and in int8.

Each has its cost (size, time per crop) and its metrics on each set of images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

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
from trainer.networks.architectures import NETWORKS, count_parameters
from trainer.networks.pretrained import PUBLIC_WEIGHTS
from trainer.training.checkpoint import Checkpoint
from trainer.training.facts import export_images, training_facts
from trainer.training.fit import fit
from trainer.training.progress import OnProgress
from trainer.training.recipe import Recipe, input_shape, kept_shape

_PRECISIONS = ("float", "int8")
BASELINE = "baseline"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to train: its input side, its width, and one changed option (``NAME=VALUE``)."""

    network: str
    side_px: int
    width: float
    change: str = ""

    def __str__(self) -> str:
        return f"{self.network}-{self.side_px}-{self.width:g}{self.change and '-' + self.change}"

    def recipe(self, common: Recipe) -> Recipe:
        """The common recipe, changed for this candidate.

        It starts from public weights if the common recipe wants that and the network has some.
        """
        own = replace(
            common,
            network=self.network,
            side_px=self.side_px,
            width=self.width,
            pretrained=common.pretrained and self.network in PUBLIC_WEIGHTS,
        )
        if not self.change:
            return own
        name, _, value = self.change.partition("=")
        return replace(own, **{name: type(getattr(own, name))(float(value))})


def candidate(text: str) -> Candidate:
    """Parse ``NETWORK:SIDE:WIDTH``.

    Raises:
        ValueError: the text has another form, or there is no such network.
    """
    network, side_px, width = text.split(":")
    if network not in NETWORKS:
        raise ValueError(text)
    return Candidate(network, int(side_px), float(width))


def change(text: str) -> str:
    """Parse ``NAME=VALUE`` of a recipe's option that is a number.

    Raises:
        ValueError: there is no such option, or the value is not a number.
    """
    name, _, value = text.partition("=")
    if name not in {
        field.name for field in fields(Recipe) if isinstance(field.default, int | float)
    }:
        raise ValueError(text)
    return f"{name}={float(value):g}"


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
        measured = measure_file(model, path, data.measured)
        yield comparison_row(
            measured,
            network=candidate.network,
            side_px=candidate.side_px,
            width=candidate.width,
            change=candidate.change,
            written=precision,
            parameters=parameters,
            samples=own.samples,
            file=path.name,
        )


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """The metrics of a model file on each set, its size, and the size of a crop for it in bytes."""

    metrics: dict[str, Metrics]
    size_bytes: int
    message_bytes: int


def measure_file(
    model: Model, path: Path, image_sets: Mapping[str, LabelledImages]
) -> MeasuredFile:
    """Measure ``model``, which was loaded from ``path``, on every set of images."""
    shape = model.card.input
    blank = np.zeros((shape.height, shape.width, shape.channels), np.uint8)
    message, _ = encode_pnm(blank[:, :, 0] if shape.channels == 1 else blank)
    metrics = {name: _metrics(model, images, shape) for name, images in image_sets.items()}
    return MeasuredFile(metrics, path.stat().st_size, len(message))


def finished_row(name: str, path: Path, data: ComparisonImages, out: Path) -> ComparisonRow:
    """The row of a finished model, which is copied to ``out``; without times."""
    model = Model.load(path)
    copy = out / f"{name}.onnx"
    copy.write_bytes(path.read_bytes())
    return comparison_row(
        measure_file(model, path, data.measured),
        network=name,
        side_px=model.card.input.width,
        width=None,
        change="",
        written="as shipped",
        parameters=None,
        samples=None,
        file=copy.name,
    )


def comparison_row(
    measured: MeasuredFile,
    *,
    network: str,
    side_px: int,
    width: float | None,
    change: str,
    written: str,
    parameters: int | None,
    samples: int | None,
    file: str,
) -> ComparisonRow:
    """A row without times."""
    first = next(iter(measured.metrics.values()))
    return extend(
        first,
        ComparisonRow,
        network=network,
        side_px=side_px,
        width=width,
        change=change,
        written=written,
        parameters=parameters,
        samples=samples,
        file=file,
        bytes=measured.size_bytes,
        message_bytes=measured.message_bytes,
        measured=measured.metrics,
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
