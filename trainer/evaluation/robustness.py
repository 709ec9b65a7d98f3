"""Accuracy, precision and recall under each corruption at each severity."""

from dataclasses import dataclass

import numpy as np

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.corruptions import CORRUPTIONS, SEVERITIES, SIDE_PX, Corruption
from trainer.evaluation.metrics import band_of, measures, p_mask_of

#: The size at which pictures are corrupted.
CORRUPTED_SHAPE = InputShape(SIDE_PX, SIDE_PX, 3)
#: What counts as an ordinary bad day.
MODERATE = 3
_RATES = ("accuracy", "precision", "recall")


@dataclass(frozen=True, slots=True)
class Curve:
    """Rates at severity 0 (untouched) to 5; None where a rate is not defined."""

    family: str
    name: str
    rates: dict[str, list[float | None]]

    def cost(self, rate: str, severity: int = MODERATE) -> float | None:
        """By how much a rate is lower than untouched."""
        before, after = self.rates[rate][0], self.rates[rate][severity]
        return None if before is None or after is None else before - after


def robustness(model: Model, images: LabelledImages, seed: int = 0) -> list[Curve]:
    """Corrupt ``images``, kept at ``CORRUPTED_SHAPE``, in every way and ask the model; seeded."""
    band = band_of(model.card)
    untouched = measures(
        p_mask_of(model, _reduced(model, images, None, 0, seed)), images.labels, band
    )
    curves = []
    for family, corruptions in CORRUPTIONS.items():
        for corruption in corruptions:
            changed = (
                _reduced(model, images, corruption, severity, seed) for severity in SEVERITIES
            )
            rows = [
                untouched,
                *(measures(p_mask_of(model, pixels), images.labels, band) for pixels in changed),
            ]
            curves.append(
                Curve(
                    family,
                    corruption.__name__,
                    {rate: [row[rate] for row in rows] for rate in _RATES},
                )
            )
    return curves


def _reduced(
    model: Model, images: LabelledImages, corruption: Corruption | None, severity: int, seed: int
) -> Pixels:
    rng = np.random.default_rng([seed, severity])
    changed = (
        images.pixels
        if corruption is None
        else (corruption(image, severity, rng) for image in images.pixels)
    )
    return np.stack([reduce(image, model.card.input) for image in changed])
