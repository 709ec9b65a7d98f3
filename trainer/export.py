"""From checkpoint to artefact: one ONNX file with its card inside, checked against torch before anyone sees it.

After timm's onnx_export and onnx_validate: export, check, compare, then measure the file itself.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx.helper import set_model_props

from contract.card import CLASSES, METADATA_KEY, Golden, InputShape, ModelCard, encode
from contract.errors import ModelError
from contract.model import Model
from contract.preprocess import PREPROCESSING
from trainer.card_text import card_text
from trainer.fit import Trained, logits_of

#: How far onnxruntime's probabilities may be from torch's.
PARITY_TOLERANCE = 1e-4
_GOLDEN_CANDIDATES = 2048


@dataclass(frozen=True, slots=True)
class Band:
    """The threshold, and the probabilities around it that mean "uncertain"."""

    threshold: float = 0.5
    uncertain_from: float = 0.2
    uncertain_to: float = 0.8


def export(trained: Trained, facts: dict[str, Any], path: Path, band: Band | None = None) -> Model:
    """Write ``path`` (ONNX), its card beside it as JSON and as text for people, and load the file as a worker would.

    Raises:
        ModelError: the file does not give what torch gives, or a worker would refuse it.
    """
    recipe, band = trained.recipe, band or Band()
    shape = InputShape(recipe.side_px, recipe.side_px, recipe.channels)
    content = _onnx(trained, shape)
    patterns = colour_patterns(shape, _GOLDEN_CANDIDATES)
    p_patterns = _torch_p_mask(trained, patterns)
    # The surest of either class: swapped labels or another normalisation can't go unseen.
    surest = [int(p_patterns.argmax()), int(p_patterns.argmin()), 0, 1]
    golden = Golden(patterns[surest].tobytes(), tuple(round(float(p), 6) for p in p_patterns[surest]))
    card = ModelCard(
        name=f"{recipe.network}{recipe.side_px}-{hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()[:8]}",
        architecture=recipe.network,
        input=shape,
        classes=CLASSES,
        preprocessing=PREPROCESSING,
        temperature=round(trained.temperature, 4),
        threshold=band.threshold,
        uncertain_from=band.uncertain_from,
        uncertain_to=band.uncertain_to,
        trained_at=facts["trained_at"],
        data_sha256=facts["data_sha256"],
        metrics=facts["metrics"],
        golden=golden,
    )
    set_model_props(content, {METADATA_KEY: encode(card)})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.SerializeToString(deterministic=True))
    path.with_suffix(".json").write_text(encode(card) + "\n")
    model = Model.load(path)
    _check_parity(model, trained, patterns)
    (path.parent / "CARD.md").write_text(card_text(card, facts, model.sha256, path.stat().st_size))
    return model


def colour_patterns(shape: InputShape, count: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured patterns, seeded: golden inputs that are nobody's face. Shape (count, height, width, channels)."""
    rng = np.random.default_rng(28)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, shape.channels, 5, 5)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(shape.height, shape.width), mode="bicubic", align_corners=False)
    patterns: npt.NDArray[np.uint8] = smooth.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
    return patterns


def _onnx(trained: Trained, shape: InputShape) -> onnx.ModelProto:
    example = torch.zeros(2, shape.channels, shape.height, shape.width)
    program = torch.onnx.export(
        trained.network,
        (example,),
        dynamo=True,
        external_data=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["crops"],
        output_names=["logits"],
        verbose=False,
    )
    if program is None:
        msg = "torch.onnx.export gave nothing"
        raise ModelError(msg)
    content: onnx.ModelProto = program.model_proto
    # Where each node came from in Python: paths of the machine it was exported on, and as large as the weights.
    for node in content.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*content.graph.value_info, *content.graph.input, *content.graph.output, *content.graph.initializer):
        del value.metadata_props[:]
    del content.graph.metadata_props[:]
    onnx.checker.check_model(content, full_check=True)
    return content


def _torch_p_mask(trained: Trained, reduced: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    p_mask: npt.NDArray[np.float64] = torch.softmax(logits_of(trained.network, reduced).double() / trained.temperature, 1)[:, 1].numpy()
    return p_mask


def _check_parity(model: Model, trained: Trained, reduced: npt.NDArray[np.uint8]) -> None:
    worst = float(np.abs(model.p_mask(reduced) - _torch_p_mask(trained, reduced)).max())
    if worst > PARITY_TOLERANCE:
        msg = f"onnxruntime is off by {worst:.2e} from torch"
        raise ModelError(msg)
