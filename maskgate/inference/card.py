"""The model card: a model's input, thresholds and figures, as JSON.

It is in the metadata of the ONNX file, and in a file beside it for processes without onnxruntime.
"""

import math
import re
from pathlib import Path

import msgspec

from maskgate.protocol.errors import ModelError
from maskgate.protocol.scores import BINNING, BINS

#: The ONNX metadata key that holds the card.
METADATA_KEY = "maskgate.card"
CLASSES = ("no_mask", "mask")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class InputShape(msgspec.Struct, frozen=True):
    """Height and width in pixels; channels 3 (RGB) or 1 (grey)."""

    height: int
    width: int
    channels: int


class Golden(msgspec.Struct, frozen=True):
    """Inputs with known answers, checked whenever a model is loaded.

    ``inputs`` is uint8 of shape (len(p_mask), height, width, channels), flattened.
    """

    inputs: bytes
    p_mask: tuple[float, ...]


class ReferenceScores(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's probabilities on labelled images: what a camera's are compared with.

    ``mask`` and ``no_mask`` count the images of a class by the bins of
    ``maskgate/protocol/scores.py``.
    """

    binning: str = BINNING
    mask: tuple[int, ...]
    no_mask: tuple[int, ...]
    sources: tuple[str, ...]
    #: SHA-256 over these images.
    data_sha256: str
    #: The share of masks for which probabilities are calibrated: the trainer weighs classes alike.
    calibrated_share: float = 0.5
    #: Measure → what ``maskgate/estimates`` says of these images, minus the truth.
    estimate_off: dict[str, float]


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything but the weights that serving a model needs."""

    name: str
    architecture: str
    input: InputShape
    classes: tuple[str, ...]
    preprocessing: str
    temperature: float
    #: From this probability "mask" is the better guess. For reports.
    threshold: float
    #: Between these two probabilities a crop is ``uncertain``.
    uncertain_from: float
    uncertain_to: float
    trained_at: str
    #: SHA-256 over the training images.
    data_sha256: str
    metrics: dict[str, float]
    golden: Golden
    #: Models of releases before the desk have none.
    reference_scores: ReferenceScores | None = None

    def outcome(self, p_mask: float) -> str:
        """``mask``, ``no_mask`` or ``uncertain`` for a calibrated probability."""
        if self.uncertain_from < p_mask < self.uncertain_to:
            return "uncertain"
        return "mask" if p_mask >= self.threshold else "no_mask"


def encode(card: ModelCard) -> str:
    """The card as JSON."""
    return msgspec.json.encode(card).decode()


def decode(text: str | bytes) -> ModelCard:
    """Read and check a card.

    Raises:
        ModelError: naming the field that is missing or out of range.
    """
    try:
        card = msgspec.json.decode(text, type=ModelCard)
    except (msgspec.DecodeError, UnicodeError) as error:
        msg = f"model card: {error}"
        raise ModelError(msg) from None
    for wrong in _complaints(card):
        msg = f"model card: {wrong}"
        raise ModelError(msg)
    return card


def read(path: Path) -> ModelCard:
    """Read the card file beside a model.

    Raises:
        ModelError: the file can't be read or holds no valid card.
    """
    try:
        return decode(path.read_bytes())
    except OSError as error:
        msg = f"model card {path}: {error.strerror}"
        raise ModelError(msg) from None


def _complaints(card: ModelCard) -> list[str]:
    shape = card.input
    golden_bytes = len(card.golden.p_mask) * shape.height * shape.width * shape.channels
    checks = {
        f"name {card.name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -": _NAME.fullmatch(card.name)
        is not None,
        f"input {shape.width}x{shape.height} is not 1 to 1024 px a side": all(
            1 <= n <= 1024 for n in (shape.height, shape.width)
        ),
        f"input channels {shape.channels} is not 1 or 3": shape.channels in (1, 3),
        f"classes {card.classes} are not {CLASSES} in any order": sorted(card.classes)
        == sorted(CLASSES),
        f"temperature {card.temperature} is not above 0": math.isfinite(card.temperature)
        and card.temperature > 0,
        f"threshold {card.threshold} is not within the uncertain band, "
        f"{card.uncertain_from} to {card.uncertain_to}": (
            0 <= card.uncertain_from <= card.threshold <= card.uncertain_to <= 1
        ),
        "golden vector is empty or of another size than the input": golden_bytes > 0
        and len(card.golden.inputs) == golden_bytes,
        "reference scores are of another binning, or lack a class": card.reference_scores is None
        or _is_usable(card.reference_scores),
    }
    return [complaint for complaint, holds in checks.items() if not holds]


def _is_usable(reference: ReferenceScores) -> bool:
    return (
        reference.binning == BINNING
        and all(
            len(counts) == BINS and min(counts) >= 0 and sum(counts) > 0
            for counts in (reference.mask, reference.no_mask)
        )
        and 0 < reference.calibrated_share < 1
    )
