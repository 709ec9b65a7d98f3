"""Train on some pictures, ask about others: cross-validation, leave-one-source-out, and the labels that both put in doubt.

Folds keep groups together (:mod:`trainer.data.groups`): no photograph is on both sides.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from maskgate.protocol.errors import ConfigurationError
from trainer.augmentation.copy_paste import cut_masks
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import Band
from trainer.evaluation.metrics import RATES, Floats, measures
from trainer.training.fit import Look, fit, p_mask_of_trained
from trainer.training.recipe import Recipe, input_shape, kept_shape

Tell = Callable[[Look], None]
Chosen = npt.NDArray[np.bool_]
#: Every so manieth fold of what may be trained on validates.
_VALIDATION_FOLDS = 16


@dataclass(frozen=True, slots=True)
class Predictions:
    """Calibrated probabilities for pictures that the network behind them has not seen; all lists are as long as ``p_mask``."""

    paths: list[str]
    sources: list[str]
    labels: list[int]
    p_mask: list[float]

    def arrays(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        """``p_mask`` and ``labels``."""
        return np.asarray(self.p_mask), np.asarray(self.labels, np.int64)


def folds(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], count: int, seed: int
) -> list[Chosen]:
    """Which pictures each fold tests on: stratified, groups together.

    Raises:
        ConfigurationError: a class has fewer groups than there are folds.
    """
    for label, name in ((1, "with a mask"), (0, "without a mask")):
        have = len(np.unique(groups[labels == label]))
        if have < count:
            msg = f"{count} folds need {count} different photographs of each class; there are {have} {name}"
            raise ConfigurationError(msg)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    chosen = []
    for _, test in splitter.split(np.zeros(len(labels)), labels, groups):
        fold = np.zeros(len(labels), bool)
        fold[test] = True
        chosen.append(fold)
    return chosen


def validation_split(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], among: Chosen
) -> Chosen:
    """Those of ``among`` that validate: a grouped, stratified fold of them, or every tenth where they are too few for that."""
    positions = np.flatnonzero(among)
    validates = np.zeros(len(labels), bool)
    have = min(len(np.unique(groups[among & (labels == label)])) for label in (0, 1))
    if have >= _VALIDATION_FOLDS:
        validates[positions[folds(labels[among], groups[among], _VALIDATION_FOLDS, 0)[0]]] = True
    else:
        validates[positions[::10]] = True
    return validates


def predict_held_out(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    held_out: Chosen,
    recipe: Recipe,
    tell: Tell,
    *,
    start: nn.Module | None = None,
) -> Floats:
    """Train, from ``start`` if given, without ``held_out`` and without anything of its groups; probabilities for it, (held_out.sum(),)."""
    among = ~held_out & ~np.isin(groups, np.unique(groups[held_out]))
    validates = validation_split(images.labels, groups, among)
    validation = images.subset(validates, input_shape(recipe))
    training = images.subset(among & ~validates, kept_shape(recipe))
    masks = cut_masks(training, groups[among & ~validates])
    trained = fit(training, validation, recipe, tell, masks=masks, start=start)
    return p_mask_of_trained(trained, images.subset(held_out, input_shape(recipe)).pixels)


def cross_validate(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    recipe: Recipe,
    count: int,
    tell: Tell,
    *,
    start: nn.Module | None = None,
    only_teach: Chosen | None = None,
) -> dict[str, Any]:
    """Stratified, grouped k-fold: measures of each fold, their mean and spread, Wilson intervals over all, and every prediction.

    Every fold's training begins with the weights of ``start``, if there is one: which must not have seen these pictures. Pictures of
    ``only_teach`` (n,) are trained on, unless they show a photograph of the fold, and never asked about.
    """
    asked = np.ones(len(images.labels), bool) if only_teach is None else ~only_teach
    rows, p_mask, positions = [], np.zeros(len(images.labels)), np.flatnonzero(asked)
    for number, chosen in enumerate(folds(images.labels[asked], groups[asked], count, recipe.seed)):
        fold = np.zeros(len(images.labels), bool)
        fold[positions[chosen]] = True
        p_mask[fold] = predict_held_out(
            images, groups, fold, replace(recipe, seed=recipe.seed + number), tell, start=start
        )
        rows.append(measures(p_mask[fold], images.labels[fold], Band()))
    whole = measures(p_mask[asked], images.labels[asked], Band())
    return {
        "recipe": asdict(recipe),
        "folds": rows,
        "mean": {name: _over_folds(np.mean, rows, name) for name in RATES},
        "spread": {
            name: _over_folds(lambda values: np.std(values, ddof=1), rows, name) for name in RATES
        },
        "all": whole,
        "groups": len(np.unique(groups[asked])),
        "predictions": asdict(predictions_of(images, asked, p_mask[asked])),
    }


def leave_one_source_out(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    recipe: Recipe,
    *,
    doors: Mapping[str, Sequence[str]],
    seeds: int,
    tell: Tell,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For every door, a name for one or more sources: train on all others, ask about it; as often as there are seeds.

    Yields each door's name and results as soon as they are there.

    Raises:
        ConfigurationError: a door names a source that is not there, or nothing is left to train on.
    """
    for door, sources in doors.items():
        if missing := sorted(set(sources) - set(images.sources)):
            msg = f"door {door}: no source {', '.join(missing)}; there are {', '.join(sorted(set(images.sources)))}"
            raise ConfigurationError(msg)
        if len(np.unique(images.labels[~images.of(sources)])) < 2:
            msg = f"door {door}: without it no second class is left to train on"
            raise ConfigurationError(msg)
    for door, sources in doors.items():
        held_out = images.of(sources)
        runs = [
            predict_held_out(
                images, groups, held_out, replace(recipe, seed=recipe.seed + seed), tell
            )
            for seed in range(seeds)
        ]
        yield (
            door,
            {
                "sources": list(sources),
                "runs": [asdict(predictions_of(images, held_out, run)) for run in runs],
            },
        )


def out_of_fold(told: Mapping[str, Any]) -> Predictions:
    """The predictions of a cross-validation."""
    return Predictions(**told["predictions"])


def doubtful_labels(predictions: Predictions, surer_than: float = 0.9) -> list[dict[str, Any]]:
    """Pictures whose out-of-fold prediction contradicts the label with more than this probability, the surest first."""
    p_mask, labels = predictions.arrays()
    against = np.where(labels == 1, 1 - p_mask, p_mask)
    return [
        {
            "path": predictions.paths[i],
            "source": predictions.sources[i],
            "label": int(labels[i]),
            "p_mask": round(float(p_mask[i]), 4),
        }
        for i in np.argsort(-against)
        if against[i] > surer_than
    ]


def read_results(path: Path) -> dict[str, Any]:
    """What ``crossval``, ``loso`` or ``compare`` wrote.

    Raises:
        ConfigurationError: it can't be read or is something else.
    """
    try:
        told = json.loads(path.read_text())
    except OSError as error:
        msg = f"results {path}: {error.strerror}"
        raise ConfigurationError(msg) from None
    except ValueError as error:
        msg = f"results {path}: {error}"
        raise ConfigurationError(msg) from None
    if not isinstance(told, dict) or not told.keys() & {"folds", "doors", "networks"}:
        msg = f"results {path}: neither of a cross-validation nor of leaving sources out nor of a comparison"
        raise ConfigurationError(msg)
    return told


def _over_folds(
    of: Callable[[list[float]], Any], rows: Sequence[Mapping[str, Any]], name: str
) -> float | None:
    """None if a fold does not define it: there is no precision where nothing was called a mask."""
    values = [row[name] for row in rows]
    return None if None in values else float(of(values))


def predictions_of(images: LabelledImages, chosen: Chosen, p_mask: Floats) -> Predictions:
    """Those for the chosen pictures; ``p_mask`` is as long as they are."""
    positions = np.flatnonzero(chosen)
    return Predictions(
        [str(images.paths[i]) for i in positions],
        [images.sources[i] for i in positions],
        images.labels[positions].tolist(),
        [round(float(p), 6) for p in p_mask],
    )
