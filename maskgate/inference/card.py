"""The model card: what a model file says of itself, as JSON in its ONNX metadata and beside it for those that don't run it."""

import math
import re
from pathlib import Path

import msgspec

from maskgate.protocol.errors import ModelError

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
    """Inputs with known answers: whoever loads the model checks that it still gives them.

    ``inputs`` is uint8 of shape (len(p_mask), height, width, channels), flattened.
    """

    inputs: bytes
    p_mask: tuple[float, ...]


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that serving a model needs besides its weights."""

    name: str
    architecture: str
    input: InputShape
    classes: tuple[str, ...]
    preprocessing: str
    temperature: float
    #: The probability from which "mask" is the better guess, for reports.
    threshold: float
    #: Between these probabilities a crop is ``uncertain``.
    uncertain_from: float
    uncertain_to: float
    trained_at: str
    #: SHA-256 over the training images.
    data_sha256: str
    metrics: dict[str, float]
    golden: Golden

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
        ModelError: if it can't be read or is no card.
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
        f"classes {card.classes} are not {CLASSES} in one order or the other": sorted(card.classes)
        == sorted(CLASSES),
        f"temperature {card.temperature} is not above 0": math.isfinite(card.temperature)
        and card.temperature > 0,
        f"uncertain band {card.uncertain_from} to {card.uncertain_to} does not hold the threshold {card.threshold}": (
            0 <= card.uncertain_from <= card.threshold <= card.uncertain_to <= 1
        ),
        "golden vector is empty or of another size than the input": golden_bytes > 0
        and len(card.golden.inputs) == golden_bytes,
    }
    return [complaint for complaint, holds in checks.items() if not holds]
