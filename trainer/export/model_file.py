"""From checkpoint to artefact: one ONNX file with its card inside, checked against torch before anyone sees it.

After timm's onnx_export and onnx_validate: export, check, compare, then measure the file itself. Float and int8 are both made; which is
written is decided by what they get right and what they cost.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import structlog
import torch
from onnx.helper import set_model_props

from maskgate.inference.card import CLASSES, METADATA_KEY, Golden, InputShape, ModelCard, encode
from maskgate.inference.model import Model
from maskgate.inference.preprocess import PREPROCESSING, normalise
from maskgate.protocol.errors import ModelError
from trainer.evaluation.calibration import Band
from trainer.evaluation.latency import latencies
from trainer.evaluation.metrics import RATES, measures, p_mask_of
from trainer.export.card_text import card_text
from trainer.export.onnx_graph import INPUT, float_graph, int8_graph
from trainer.training.checkpoint import Trained
from trainer.training.fit import p_mask_of_trained
from trainer.training.recipe import input_shape

#: How far onnxruntime's probabilities may be from torch's: in float anywhere; in int8 on average over pictures.
PARITY_TOLERANCE, INT8_TOLERANCE = 1e-4, 0.02
#: Of a hundred calls, how many more int8 may get differently from the labels than float and still be chosen.
_INT8_MAY_LOSE = 0.002
_GOLDEN_CANDIDATES = 2048
PRECISIONS = ("auto", "float", "int8")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write the network: what it gets right of the pictures kept for checking, and what it costs."""

    precision: str
    accuracy: float
    p_mask_off: float
    us_per_crop: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Checking:
    """Pictures at the network's input size: ``calibration`` for the ranges of int8, and labelled ones to choose by."""

    calibration: npt.NDArray[np.uint8]
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def export(
    trained: Trained,
    facts: dict[str, Any],
    path: Path,
    checking: Checking,
    *,
    band: Band | None = None,
    precision: str = "auto",
) -> Model:
    """Write ``path`` (ONNX), its card beside it as JSON and as text for people, and load the file as a worker would.

    ``facts`` gets "variants", "precision" and, first among its "metrics", what the file gets right of the pictures to check by.
    If int8 is refused and not demanded by ``precision``, a warning is logged and float is written.

    Raises:
        ModelError: the file does not give what torch gives, or a worker would refuse it.
    """
    band = band or Band()
    shape = input_shape(trained.recipe)
    graph = float_graph(trained.network, shape)
    graphs = {"float": graph, "int8": int8_graph(graph, checking.calibration)}
    patterns = colour_patterns(shape, _GOLDEN_CANDIDATES)
    models = {
        name: _model(content, trained, facts, band, patterns) for name, content in graphs.items()
    }
    _check_float(models["float"][1], trained, patterns)
    try:
        _check_int8(models["int8"][1], trained, checking.pixels)
    except ModelError as error:
        if precision == "int8":
            raise
        log.warning("export.int8_refused", error=str(error), written="float")
        del models["int8"]
    facts["variants"] = {name: asdict(v) for name, v in _compare(models, trained, checking).items()}
    facts["precision"] = chosen = precision if precision != "auto" else _choose(facts["variants"])
    measured = measures(p_mask_of(models[chosen][1], checking.pixels), checking.labels, band)
    validation = {
        f"validation_{name}": measured[name] for name in RATES if measured[name] is not None
    }
    facts["metrics"] = validation | {
        name: value for name, value in facts["metrics"].items() if name not in validation
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_model(graphs[chosen], trained, facts, band, patterns)[0])
    model = Model.load(path)
    path.with_suffix(".json").write_text(encode(model.card) + "\n")
    path.with_suffix(".md").write_text(
        card_text(model.card, facts, path.name, model.sha256, path.stat().st_size)
    )
    return model


def _model(
    content: onnx.ModelProto,
    trained: Trained,
    facts: dict[str, Any],
    band: Band,
    patterns: npt.NDArray[np.uint8],
) -> tuple[bytes, Model]:
    """The finished file, and itself loaded: its golden answers are its own, its parity with torch is checked apart."""
    shape = input_shape(trained.recipe)
    del content.metadata_props[:]  # the name is of the network alone
    name = f"{trained.recipe.network}{shape.width}-{hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()[:8]}"
    # The surest of either class: swapped labels or another normalisation can't go unseen.
    p_patterns = p_mask_of_trained(trained, patterns)
    inputs = patterns[[int(p_patterns.argmax()), int(p_patterns.argmin()), 0, 1]]
    answers = _answers(content.SerializeToString(), inputs, round(trained.temperature, 4))
    card = ModelCard(
        name=name,
        architecture=trained.recipe.network,
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
        golden=Golden(inputs.tobytes(), tuple(round(float(p), 6) for p in answers)),
    )
    set_model_props(content, {METADATA_KEY: encode(card)})
    written: bytes = content.SerializeToString(deterministic=True)
    return written, Model.from_bytes(written)


def _answers(
    content: bytes, reduced: npt.NDArray[np.uint8], temperature: float
) -> npt.NDArray[np.float64]:
    """What the graph itself says: golden, because its parity with torch is checked over many more inputs than these."""
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {INPUT: normalise(reduced)})[0]).double()
    p_mask: npt.NDArray[np.float64] = torch.softmax(logits / temperature, 1)[:, 1].numpy()
    return p_mask


def _compare(
    models: dict[str, tuple[bytes, Model]], trained: Trained, checking: Checking
) -> dict[str, Variant]:
    cost = latencies({name: content for name, (content, _) in models.items()})
    reference = p_mask_of_trained(trained, checking.pixels)
    variants = {}
    for name, (content, model) in models.items():
        p_mask = model.p_mask(checking.pixels)
        right = float(((p_mask >= model.card.threshold) == (checking.labels == 1)).mean())
        off = float(np.abs(p_mask - reference).mean())
        variants[name] = Variant(name, right, off, cost[name].median_us, len(content))
    return variants


def _choose(variants: dict[str, Any]) -> str:
    plain, small = variants["float"], variants.get("int8")
    if small is None:
        return "float"
    as_right = small["accuracy"] >= plain["accuracy"] - _INT8_MAY_LOSE
    return "int8" if as_right and small["us_per_crop"] < plain["us_per_crop"] else "float"


def colour_patterns(shape: InputShape, count: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured patterns, seeded: golden inputs that are nobody's face. Shape (count, height, width, channels)."""
    rng = np.random.default_rng(28)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, shape.channels, 5, 5)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(
        coarse, size=(shape.height, shape.width), mode="bicubic", align_corners=False
    )
    patterns: npt.NDArray[np.uint8] = (
        smooth.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
    )
    return patterns


def _check_float(model: Model, trained: Trained, patterns: npt.NDArray[np.uint8]) -> None:
    worst = float(np.abs(model.p_mask(patterns) - p_mask_of_trained(trained, patterns)).max())
    if worst > PARITY_TOLERANCE:
        msg = f"onnxruntime is off by {worst:.2e} from torch"
        raise ModelError(msg)


def _check_int8(model: Model, trained: Trained, pictures: npt.NDArray[np.uint8]) -> None:
    mean = float(np.abs(model.p_mask(pictures) - p_mask_of_trained(trained, pictures)).mean())
    if mean > INT8_TOLERANCE:
        msg = f"int8 is off by {mean:.3f} from torch on average"
        raise ModelError(msg)
