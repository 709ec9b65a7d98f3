"""From decoded images to outcomes, and back to the order in which the crops were received."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from maskgate.inference.card import ModelCard
from maskgate.inference.image import Pixels
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult
from worker.validate import ReadableCrop

_BY_TAG = attrgetter("tag")


class MaskModel(Protocol):
    """What classifies: ``maskgate.inference.model.Model``, or a test's replacement."""

    card: ModelCard

    def p_mask(self, reduced: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        """Probabilities of a mask, shape (n,), for n reduced images."""


def infer(crops: Sequence[ReadableCrop], model: MaskModel) -> list[CropResult]:
    """Classify all crops in one call of the model; results in the same order.

    Raises:
        ModelError: the network returned a value that is not a finite number.
    """
    p_masks = model.p_mask([readable.image for readable in crops]).tolist()
    return [
        CropResult.of_crop(
            readable.delivery, readable.crop, Outcome(model.card.outcome(p_mask)), p_mask=p_mask
        )
        for readable, p_mask in zip(crops, p_masks, strict=True)
    ]


def merge(finished: list[CropResult], classified: list[CropResult]) -> list[CropResult]:
    """All results of a batch in the order received: tags grow in that order."""
    return sorted(finished + classified, key=_BY_TAG) if finished else classified
