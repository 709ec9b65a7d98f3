"""Accuracy, precision and recall under each corruption at each severity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.corruptions import CORRUPTIONS, SEVERITIES, SIDE_PX, Corruption
from trainer.evaluation.metrics import Metrics, band_of, classification_metrics, p_mask_of

#: The size at which images are corrupted.
CORRUPTED_SHAPE = InputShape(SIDE_PX, SIDE_PX, 3)
#: The severity of an ordinary bad day.
MODERATE = 3
_RATES = ("accuracy", "precision", "recall")


@dataclass(frozen=True, slots=True)
class CorruptionCurve:
    """The rates of one corruption at severity 0 (not corrupted) to 5; None if not defined.

    ``moderate_cost`` is by how much each rate is lower at severity ``MODERATE`` than at 0.
    """

    family: str
    name: str
    rates: dict[str, list[float | None]]
    moderate_cost: dict[str, float | None]


def robustness(model: Model, images: LabelledImages, seed: int = 0) -> list[CorruptionCurve]:
    """The curves of all corruptions on ``images``, kept at ``CORRUPTED_SHAPE``; seeded."""
    not_corrupted = _metrics(model, images, None, 0, seed)
    return [
        _curve(
            family,
            corruption.__name__,
            [not_corrupted]
            + [_metrics(model, images, corruption, severity, seed) for severity in SEVERITIES],
        )
        for family, corruptions in CORRUPTIONS.items()
        for corruption in corruptions
    ]


def _curve(family: str, name: str, by_severity: Sequence[Metrics]) -> CorruptionCurve:
    rates = {rate: [row.by_name()[rate] for row in by_severity] for rate in _RATES}
    return CorruptionCurve(
        family, name, rates, {rate: _cost(values) for rate, values in rates.items()}
    )


def _cost(values: Sequence[float | None]) -> float | None:
    before, after = values[0], values[MODERATE]
    return None if before is None or after is None else before - after


def _metrics(
    model: Model, images: LabelledImages, corruption: Corruption | None, severity: int, seed: int
) -> Metrics:
    pixels = corrupted(model.card.input, images.pixels, corruption, severity, seed)
    return classification_metrics(p_mask_of(model, pixels), images.labels, band_of(model.card))


def corrupted(
    shape: InputShape, pixels: Pixels, corruption: Corruption | None, severity: int, seed: int
) -> Pixels:
    """The images, corrupted and reduced to the model's input size."""
    rng = np.random.default_rng([seed, severity])
    changed = (
        pixels if corruption is None else (corruption(image, severity, rng) for image in pixels)
    )
    return np.stack([reduce(image, shape) for image in changed])
