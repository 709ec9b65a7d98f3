"""What a checkpoint keeps besides the network: facts for the card, and images to export with."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from trainer.data.labelled_images import LabelledImages
from trainer.networks.pretrained import origin_of_weights
from trainer.training.recipe import Recipe, input_shape

RANDOM_WEIGHTS = "random weights"
#: The number of images on which the ranges of int8 are measured.
_CALIBRATION = 512


class ClassCounts(msgspec.Struct, frozen=True):
    """How many images of a source show a mask, and how many do not."""

    mask: int
    no_mask: int


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the model card says of a training besides its recipe.

    ``parameters`` counts the network's weights, ``samples`` the augmented images seen.
    """

    trained_at: str
    data_sha256: str
    sources: dict[str, ClassCounts]
    parameters: int
    samples: int
    teachers: int
    seed: int
    seconds: float
    began: str = RANDOM_WEIGHTS
    metrics: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class ExportImages:
    """Images at the network's input size, (n, height, width, channels) uint8, to export with.

    ``calibration`` gives the ranges of int8; ``pixels`` with ``labels`` (n,) validate the file.
    """

    calibration: npt.NDArray[np.uint8]
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def export_images(
    training: LabelledImages, validation: LabelledImages, recipe: Recipe
) -> ExportImages:
    """A random sample of the training images, and all of ``validation`` (at the input size)."""
    sample = np.zeros(len(training.labels), bool)
    sample[np.random.default_rng(0).permutation(len(sample))[:_CALIBRATION]] = True
    return ExportImages(
        training.subset(sample, input_shape(recipe)).pixels, validation.pixels, validation.labels
    )


def count_classes(images: LabelledImages) -> dict[str, ClassCounts]:
    """For each source, how many images it has of each class."""
    counts = Counter(zip(images.sources, images.labels.tolist(), strict=True))
    return {
        name: ClassCounts(counts[name, 1], counts[name, 0]) for name in sorted(set(images.sources))
    }


def training_facts(
    images: LabelledImages, recipe: Recipe, *, parameters: int, seconds: float, teachers: int
) -> TrainingFacts:
    """The facts of a training on ``images`` that took ``seconds`` and ended today (UTC)."""
    return TrainingFacts(
        trained_at=dt.datetime.now(dt.UTC).date().isoformat(),
        data_sha256=images.sha256,
        sources=count_classes(images),
        parameters=parameters,
        samples=recipe.samples,
        teachers=teachers,
        seed=recipe.seed,
        seconds=seconds,
        began=origin_of_weights(recipe.network) if recipe.pretrained else RANDOM_WEIGHTS,
    )
