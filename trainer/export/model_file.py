"""From checkpoint to model file: one ONNX file with its card, checked against torch.

Float and int8 are both built; accuracy and time per crop decide which is written. The steps are
those of timm's onnx_export and onnx_validate: export, check, compare, measure the file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import structlog
import torch
from onnx.helper import set_model_props

from maskgate.inference.card import (
    CLASSES,
    METADATA_KEY,
    Golden,
    InputShape,
    ModelCard,
    ReferenceScores,
    encode,
)
from maskgate.inference.model import Model
from maskgate.inference.preprocess import PREPROCESSING, normalise
from maskgate.inference.session import open_session
from maskgate.protocol.errors import ModelError
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import Band
from trainer.evaluation.label_free import reference_of
from trainer.evaluation.metrics import classification_metrics, p_mask_of
from trainer.export import precision as precisions
from trainer.export.card_text import card_text
from trainer.export.onnx_graph import INPUT, float_graph, int8_graph
from trainer.export.precision import Variant, WrittenModel
from trainer.training.checkpoint import Checkpoint
from trainer.training.predict import p_mask_of_trained
from trainer.training.recipe import input_shape

_GOLDEN_CANDIDATES = 2048

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The written model, as a worker loads it; its precision; and all variants compared."""

    model: Model
    precision: str
    variants: dict[str, Variant]


def export(
    checkpoint: Checkpoint,
    path: Path,
    *,
    band: Band | None = None,
    metrics: Mapping[str, float] | None = None,
    precision: str = "auto",
    door: LabelledImages | None = None,
) -> ExportResult:
    """Write ``path`` (ONNX) and its card beside it, as JSON and as Markdown.

    The card's metrics are those of the written file on the validation images, those of the
    checkpoint and ``metrics``. Its reference scores are of the images of ``door``, at the network's
    input size, or of the validation images. If int8 is refused and ``precision`` is not int8, a
    warning is logged and float is written.

    Raises:
        ModelError: the model does not give what torch gives, or a worker would refuse the file.
    """
    builder = _Builder(checkpoint, band or Band())
    graphs = _graphs(checkpoint)
    others = {**checkpoint.facts.metrics, **(metrics or {})}
    built = {name: builder.build(graph, others) for name, graph in graphs.items()}
    written = _accepted(built, checkpoint, builder.patterns, precision)
    variants = precisions.compare(written, checkpoint.trained, checkpoint.images)
    chosen = precisions.choose(variants) if precision == "auto" else precision
    validated = _validation_metrics(written[chosen].model, checkpoint, builder.band)
    # The validation metrics come first, as in checkpoints that hold them: the bytes stay the same.
    known = validated | {name: value for name, value in others.items() if name not in validated}
    path.parent.mkdir(parents=True, exist_ok=True)
    reference = _reference(written[chosen].model, checkpoint, door)
    path.write_bytes(builder.build(graphs[chosen], known, reference).content)
    result = ExportResult(Model.load(path), chosen, variants)
    path.with_suffix(".json").write_text(encode(result.model.card) + "\n")
    path.with_suffix(".md").write_text(
        card_text(result.model, checkpoint.facts, path, precision=chosen, variants=variants)
    )
    return result


def _graphs(checkpoint: Checkpoint) -> dict[str, onnx.ModelProto]:
    plain = float_graph(checkpoint.trained.network, input_shape(checkpoint.trained.recipe))
    return {"float": plain, "int8": int8_graph(plain, checkpoint.images.calibration)}


def _accepted(
    built: Mapping[str, WrittenModel],
    checkpoint: Checkpoint,
    patterns: npt.NDArray[np.uint8],
    precision: str,
) -> Mapping[str, WrittenModel]:
    """The files that give what torch gives: int8 may be missing, unless it is asked for."""
    precisions.check_float(built["float"].model, checkpoint.trained, patterns)
    try:
        precisions.check_int8(built["int8"].model, checkpoint.trained, checkpoint.images.pixels)
    except ModelError as error:
        if precision == "int8":
            raise
        log.warning("export.int8_refused", error=str(error), written="float")
        return {"float": built["float"]}
    return built


def _validation_metrics(model: Model, checkpoint: Checkpoint, band: Band) -> dict[str, float]:
    images = checkpoint.images
    measured = classification_metrics(p_mask_of(model, images.pixels), images.labels, band)
    return {f"validation_{name}": value for name, value in measured.defined().items()}


def _reference(
    model: Model, checkpoint: Checkpoint, door: LabelledImages | None
) -> ReferenceScores | None:
    images, facts = checkpoint.images, checkpoint.facts
    if door is None:
        p_mask, sources, sha256 = p_mask_of(model, images.pixels), ["validation"], facts.data_sha256
        labels = images.labels
    else:
        p_mask, sources, sha256 = p_mask_of(model, door.pixels), door.sources, door.sha256
        labels = door.labels
    return reference_of(p_mask, labels, model.card, sources=sources, data_sha256=sha256)


class _Builder:
    """Builds model files of one checkpoint with one band."""

    def __init__(self, checkpoint: Checkpoint, band: Band) -> None:
        self._trained, self._facts, self.band = checkpoint.trained, checkpoint.facts, band
        self._shape = input_shape(self._trained.recipe)
        self.patterns = colour_patterns(self._shape, _GOLDEN_CANDIDATES)
        # The most confident of each class: swapped classes or another normalisation are detected.
        p_patterns = p_mask_of_trained(self._trained, self.patterns)
        self._golden = self.patterns[[int(p_patterns.argmax()), int(p_patterns.argmin()), 0, 1]]

    def build(
        self,
        graph: onnx.ModelProto,
        metrics: dict[str, float],
        reference: ReferenceScores | None = None,
    ) -> WrittenModel:
        """The finished file with a card with these values, and the model loaded from it."""
        del graph.metadata_props[:]  # the name depends on the network alone
        content = graph.SerializeToString(deterministic=True)
        temperature = round(self._trained.temperature, 4)
        answers = _answers(graph.SerializeToString(), self._golden, temperature)
        architecture = self._trained.recipe.network
        card = ModelCard(
            name=f"{architecture}{self._shape.width}-{hashlib.sha256(content).hexdigest()[:8]}",
            architecture=architecture,
            input=self._shape,
            classes=CLASSES,
            preprocessing=PREPROCESSING,
            temperature=temperature,
            threshold=self.band.threshold,
            uncertain_from=self.band.uncertain_from,
            uncertain_to=self.band.uncertain_to,
            trained_at=self._facts.trained_at,
            data_sha256=self._facts.data_sha256,
            metrics=metrics,
            golden=Golden(self._golden.tobytes(), tuple(round(float(p), 6) for p in answers)),
            reference_scores=reference,
        )
        set_model_props(graph, {METADATA_KEY: encode(card)})
        written: bytes = graph.SerializeToString(deterministic=True)
        return WrittenModel(written, Model.from_bytes(written))


def _answers(
    content: bytes, reduced: npt.NDArray[np.uint8], temperature: float
) -> npt.NDArray[np.float64]:
    """The graph's own probabilities (n,).

    They can be golden answers, because many more inputs are compared with torch.
    """
    logits = torch.from_numpy(
        open_session(content).run(None, {INPUT: normalise(reduced)})[0]
    ).double()
    p_mask: npt.NDArray[np.float64] = torch.softmax(logits / temperature, 1)[:, 1].numpy()
    return p_mask


def colour_patterns(shape: InputShape, count: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured patterns, (count, height, width, channels), seeded.

    They are the golden inputs: a model file must not hold anybody's face.
    """
    rng = np.random.default_rng(28)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, shape.channels, 5, 5)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(
        coarse, size=(shape.height, shape.width), mode="bicubic", align_corners=False
    )
    patterns: npt.NDArray[np.uint8] = (
        smooth.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
    )
    return patterns
