"""Compare the float and the int8 version of a network with torch and with each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError
from trainer.evaluation.latency import latencies
from trainer.training.checkpoint import Trained
from trainer.training.facts import ExportImages
from trainer.training.predict import p_mask_of_trained

#: The largest difference of probabilities between onnxruntime and torch: for float the maximum over
#: all inputs, for int8 the mean.
PARITY_TOLERANCE, INT8_TOLERANCE = 1e-4, 0.02
#: By how much the accuracy of int8 may be lower than that of float, for int8 to be chosen.
_INT8_MAY_LOSE = 0.002
PRECISIONS = ("auto", "float", "int8")


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """The bytes of a model file, and the model that was loaded from them."""

    content: bytes
    model: Model


@dataclass(frozen=True, slots=True)
class Variant:
    """A network in one precision.

    ``accuracy`` is on the validation images; ``p_mask_off`` is the mean difference of
    probabilities from torch's there; ``us_per_crop`` is in microseconds.
    """

    precision: str
    accuracy: float
    p_mask_off: float
    us_per_crop: float
    size_bytes: int


def check_float(model: Model, trained: Trained, patterns: npt.NDArray[np.uint8]) -> None:
    """Check that a float model gives what torch gives.

    Raises:
        ModelError: a probability differs by more than ``PARITY_TOLERANCE``.
    """
    worst = float(np.abs(model.p_mask(patterns) - p_mask_of_trained(trained, patterns)).max())
    if worst > PARITY_TOLERANCE:
        msg = f"onnxruntime is off by {worst:.2e} from torch"
        raise ModelError(msg)


def check_int8(model: Model, trained: Trained, pixels: npt.NDArray[np.uint8]) -> None:
    """Check that an int8 model gives about what torch gives.

    Raises:
        ModelError: probabilities differ by more than ``INT8_TOLERANCE`` on average.
    """
    mean = float(np.abs(model.p_mask(pixels) - p_mask_of_trained(trained, pixels)).mean())
    if mean > INT8_TOLERANCE:
        msg = f"int8 is off by {mean:.3f} from torch on average"
        raise ModelError(msg)


def compare(
    written: Mapping[str, WrittenModel], trained: Trained, images: ExportImages
) -> dict[str, Variant]:
    """The accuracy and the cost of each precision."""
    cost = latencies({name: one.content for name, one in written.items()})
    reference = p_mask_of_trained(trained, images.pixels)
    variants = {}
    for name, one in written.items():
        p_mask = one.model.p_mask(images.pixels)
        right = (p_mask >= one.model.card.threshold) == (images.labels == 1)
        variants[name] = Variant(
            name,
            float(right.mean()),
            float(np.abs(p_mask - reference).mean()),
            cost[name].median_us,
            len(one.content),
        )
    return variants


def choose(variants: Mapping[str, Variant]) -> str:
    """``int8`` if it is there, is about as accurate as float and is faster; else ``float``."""
    plain, quantised = variants["float"], variants.get("int8")
    if quantised is None or quantised.accuracy < plain.accuracy - _INT8_MAY_LOSE:
        return "float"
    return "int8" if quantised.us_per_crop < plain.us_per_crop else "float"
