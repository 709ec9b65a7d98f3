"""Networks side by side: of several kinds, inputs and widths, in float and in int8, what each costs and what it is worth at which door."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from maskgate.inference.card import InputShape
from maskgate.inference.image import encode_pnm
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import ModelError
from trainer.augmentation.copy_paste import cut_masks
from trainer.data.labelled_images import LabelledImages
from trainer.data.material import checking_of, facts_of
from trainer.evaluation import budget, holdout
from trainer.evaluation.held_out_domains import HALF, door_rows, read_doors
from trainer.evaluation.latency import latencies
from trainer.evaluation.metrics import band_of, measures, p_mask_of
from trainer.export.model_file import export
from trainer.networks.architectures import NETWORKS
from trainer.networks.pretrained import PUBLIC_WEIGHTS
from trainer.training.checkpoint import Trained
from trainer.training.fit import fit
from trainer.training.recipe import Recipe, input_shape, kept_shape

_PRECISIONS = ("float", "int8")
BASELINE = "baseline"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network, the side of its input, its width, and what of the recipe is changed for it."""

    network: str
    side_px: int
    width: float
    change: str = ""

    def __str__(self) -> str:
        return f"{self.network}-{self.side_px}-{self.width:g}{self.change and '-' + self.change}"

    def recipe(self, common: Recipe) -> Recipe:
        """The common recipe for this one; it begins with public weights if they are wanted and there are some."""
        pretrained = common.pretrained and self.network in PUBLIC_WEIGHTS
        own = replace(
            common,
            network=self.network,
            side_px=self.side_px,
            width=self.width,
            pretrained=pretrained,
        )
        name, _, value = self.change.partition("=")
        return (
            replace(own, **{name: type(getattr(own, name))(float(value))}) if self.change else own
        )


def candidate(text: str) -> Candidate:
    """From ``NETWORK:SIDE:WIDTH``.

    Raises:
        ValueError: it is written otherwise, or there is no such network.
    """
    network, side_px, width = text.split(":")
    if network not in NETWORKS:
        raise ValueError(text)
    return Candidate(network, int(side_px), float(width))


def change(text: str) -> str:
    """``NAME=VALUE`` of an option of the recipe that is a number.

    Raises:
        ValueError: it is none.
    """
    name, _, value = text.partition("=")
    if name not in {
        field.name for field in fields(Recipe) if isinstance(field.default, int | float)
    }:
        raise ValueError(text)
    return f"{name}={float(value):g}"


@dataclass(frozen=True, slots=True)
class Sets:
    """Pictures to train and to validate on, and those to measure on by name, all as large as any candidate wants them."""

    images: LabelledImages
    groups: npt.NDArray[np.int64]
    training: npt.NDArray[np.bool_]
    validates: npt.NDArray[np.bool_]
    measured: Mapping[str, LabelledImages]


def trained_candidates(
    candidates: list[Candidate], recipe: Recipe, sets: Sets, tell: holdout.Tell, out: Path
) -> Iterator[dict[str, Any]]:
    """Train each with the same recipe, write it both ways below ``out`` and measure the files; a row each, without what they cost."""
    for one in candidates:
        own = one.recipe(recipe)
        training, validation = (
            sets.images.subset(sets.training, kept_shape(own)),
            sets.images.subset(sets.validates, input_shape(own)),
        )
        masks = cut_masks(training, sets.groups[sets.training])
        yield from _written(
            one, fit(training, validation, own, tell, masks=masks), training, sets, out
        )


def _written(
    one: Candidate, trained: Trained, training: LabelledImages, sets: Sets, out: Path
) -> Iterator[dict[str, Any]]:
    first = next(iter(sets.measured.values()))
    asked = first.subset(np.ones(len(first.labels), bool), input_shape(trained.recipe))
    checking = checking_of(training, asked, trained.recipe)
    facts = facts_of(sets.images, trained, checking, 0)
    for precision in _PRECISIONS:
        path = out / f"{one}-{precision}.onnx"
        try:
            model = export(trained, facts, path, checking, precision=precision)
        except ModelError as error:  # a barely trained network may not bear 8 bits: the others are worth knowing all the same
            log.warning(
                "candidate.not_written", candidate=str(one), precision=precision, error=str(error)
            )
            continue
        row = {
            **asdict(one),
            "written": precision,
            "parameters": facts["parameters"],
            "samples": trained.recipe.samples,
            "file": path.name,
        }
        yield row | measured_row(model, path, sets.measured)


def measured_row(
    model: Model, path: Path, measured: Mapping[str, LabelledImages]
) -> dict[str, Any]:
    """What a file is worth on every set, how large it is, and how large a message for it is."""
    shape = model.card.input
    blank = np.zeros((shape.height, shape.width, shape.channels), np.uint8)
    message, _ = encode_pnm(blank[:, :, 0] if shape.channels == 1 else blank)
    rows = {name: _measured(model, images, shape) for name, images in measured.items()}
    return {
        "bytes": path.stat().st_size,
        "message_bytes": len(message),
        "measured": rows,
        **next(iter(rows.values())),
    }


def _measured(model: Model, images: LabelledImages, shape: InputShape) -> dict[str, Any]:
    pixels = np.stack([reduce(picture, shape) for picture in images.pixels])
    return measures(p_mask_of(model, pixels), images.labels, band_of(model.card))


def add_costs(rows: list[dict[str, Any]], out: Path) -> None:
    """Microseconds a crop of every file, one at a time and sixteen, and its ratio to the notebook's CNN, all in one run."""
    contents = {row["file"]: (out / row["file"]).read_bytes() for row in rows} | {
        BASELINE: budget.baseline()
    }
    one, sixteen = (latencies(contents, batch=batch) for batch in (1, 16))
    for row in rows:
        row["us_alone"], row["us_per_crop"] = (
            one[row["file"]].median_us,
            sixteen[row["file"]].median_us,
        )
        row["ratio"] = row["us_per_crop"] / sixteen[BASELINE].median_us


def add_results(rows: list[dict[str, Any]], folder: Path) -> None:
    """The mean accuracy of cross-validation and of leaving sources out, from ``folder/NETWORK/``, where somebody ran them.

    Raises:
        ConfigurationError: such a file is of something else.
    """
    for row in rows:
        home = folder / row["network"]
        if (home / "crossval.json").is_file():
            row["cross_validation"] = {
                name: holdout.read_results(home / "crossval.json")["mean"][name]
                for name in ("accuracy", "precision", "recall")
            }
        if (home / "loso.json").is_file():
            runs = [
                run
                for door in door_rows(read_doors(home / "loso.json"), HALF)
                for run in door["runs"]
            ]
            row["left_out"] = {
                "accuracy": float(np.mean([run["accuracy"] for run in runs])),
                "runs": len(runs),
            }
