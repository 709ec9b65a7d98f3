"""The model: checks an ONNX file while loading it, and computes probabilities."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from maskgate.inference.card import METADATA_KEY, ModelCard, decode
from maskgate.inference.image import Pixels
from maskgate.inference.onnx_file import has_external_data
from maskgate.inference.preprocess import PREPROCESSING, normalise
from maskgate.inference.session import open_session
from maskgate.protocol.errors import ModelError

#: Probabilities may differ by this much between machines: instruction sets round differently.
GOLDEN_TOLERANCE = 0.01
#: Crops in one run of the network. More were no faster, and onnxruntime keeps their memory.
CHUNK = 16


class Model:
    """A classifier whose hash, card, input shape and golden vector were checked on loading."""

    def __init__(self, session: ort.InferenceSession, card: ModelCard, sha256: str) -> None:
        self.card = card
        self.sha256 = sha256
        self._session = session
        self._input = session.get_inputs()[0].name
        self._mask = card.classes.index("mask")

    @classmethod
    def load(cls, path: Path, sha256: str | None = None) -> "Model":
        """Load an ONNX file and run its golden vector.

        Raises:
            ModelError: the file is missing, does not have the pinned hash, has no complete card,
                keeps weights in other files, takes another input than its card says, or does not
                reproduce its golden vector.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            msg = f"model {path}: {error.strerror}"
            raise ModelError(msg) from None
        try:
            return cls.from_bytes(content, sha256)
        except ModelError as error:
            msg = f"model {path}: {error}"
            raise ModelError(msg) from None

    @classmethod
    def from_bytes(cls, content: bytes, sha256: str | None = None) -> "Model":
        """As :meth:`load`, from the bytes of a file.

        Raises:
            ModelError: as :meth:`load` does.
        """
        digest = hashlib.sha256(content).hexdigest()
        if sha256 is not None and digest != sha256.lower():
            msg = f"SHA-256 is {digest}, pinned is {sha256}"
            raise ModelError(msg)
        if has_external_data(content):
            msg = "keeps its weights outside the file"
            raise ModelError(msg)
        session = open_session(content)
        metadata = session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            msg = f"no {METADATA_KEY!r} in its metadata"
            raise ModelError(msg)
        card = decode(metadata[METADATA_KEY])
        if card.preprocessing != PREPROCESSING:
            msg = f"needs preprocessing {card.preprocessing!r}, this is {PREPROCESSING!r}"
            raise ModelError(msg)
        _check_signature(session, card)
        model = cls(session, card, digest)
        model._check_golden()
        return model

    def p_mask(self, reduced: Sequence[Pixels] | Pixels) -> npt.NDArray[np.float64]:
        """Calibrated probability of a mask; shape (n,).

        ``reduced`` holds n images, each uint8 of shape (height, width, channels).

        Raises:
            ModelError: a logit is not finite.
        """
        if not len(reduced):
            return np.empty(0)
        logits = [
            self._session.run(None, {self._input: normalise(reduced[i : i + CHUNK])})[0]
            for i in range(0, len(reduced), CHUNK)
        ]
        scaled = np.concatenate(logits).astype(np.float64) / self.card.temperature
        if not np.isfinite(scaled).all():
            msg = "the network returned a logit that is not finite"
            raise ModelError(msg)
        margin: npt.NDArray[np.float64] = scaled[:, self._mask] - scaled[:, 1 - self._mask]
        # The softmax of two is the logistic function of the margin. Clipped, or exp would overflow.
        return np.asarray(1 / (1 + np.exp(-np.clip(margin, -60, 60))), np.float64)

    def _check_golden(self) -> None:
        shape, golden = self.card.input, self.card.golden
        inputs = np.frombuffer(golden.inputs, np.uint8).reshape(
            -1, shape.height, shape.width, shape.channels
        )
        worst = float(np.abs(self.p_mask(inputs) - golden.p_mask).max())
        if worst > GOLDEN_TOLERANCE:
            msg = f"its golden vector is off by {worst:.3f}"
            raise ModelError(msg)


def _check_signature(session: ort.InferenceSession, card: ModelCard) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = [card.input.channels, card.input.height, card.input.width]
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or list(inputs[0].shape[1:]) != wanted:
        found = [(i.type, i.shape) for i in inputs]
        msg = f"takes {found}, its card says float (batch, {', '.join(map(str, wanted))})"
        raise ModelError(msg)
    if isinstance(inputs[0].shape[0], int):
        msg = f"takes exactly {inputs[0].shape[0]} crops at a time; the batch axis must be dynamic"
        raise ModelError(msg)
    if len(outputs) != 1 or list(outputs[0].shape[1:]) != [len(card.classes)]:
        found = [o.shape for o in outputs]
        msg = f"returns {found}, expected (batch, {len(card.classes)}) logits"
        raise ModelError(msg)
