"""Doors: threshold, band and temperature from predictions for sources that a network has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from maskgate.protocol.errors import ConfigurationError
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import (
    Band,
    best_threshold,
    least_loss_temperature,
    narrowest_band,
)
from trainer.evaluation.holdout import Predictions, predictions_of, read_results
from trainer.evaluation.metrics import Floats, measures
from trainer.training.checkpoint import Trained
from trainer.training.fit import p_mask_of_trained

#: What an uncertain band is to reach, and the share that it must leave decided.
TARGET, COVERAGE = 0.99, 0.9
#: Probabilities are written with six digits; beyond these they have no log odds.
_SURE = (1e-6, 1 - 1e-6)
#: Every crop is decided, at one half: how networks are compared whose thresholds nobody chose.
HALF = Band(0.5, 0.5, 0.5)


def read_doors(path: Path) -> dict[str, Any]:
    """The doors that ``loso`` wrote.

    Raises:
        ConfigurationError: it can't be read or is something else.
    """
    told = read_results(path)
    if "doors" not in told:
        msg = f"results {path}: not of leaving sources out"
        raise ConfigurationError(msg)
    doors: dict[str, Any] = told["doors"]
    return doors


def asked(trained: Trained, images: LabelledImages) -> dict[str, Any]:
    """A finished network's predictions by source, in the form that ``leave_one_source_out`` yields."""
    p_mask = p_mask_of_trained(trained, images.pixels)
    doors = {}
    for source in sorted(set(images.sources)):
        here = images.of([source])
        doors[source] = {
            "sources": [source],
            "runs": [asdict(predictions_of(images, here, p_mask[here]))],
        }
    return doors


def runs_of(doors: Mapping[str, Any]) -> list[Predictions]:
    """The predictions of every seed at every door."""
    return [Predictions(**run) for door in doors.values() for run in door["runs"]]


def mean_of_seeds(doors: Mapping[str, Any]) -> Predictions:
    """One prediction for each picture of all doors: the mean of its seeds' probabilities."""
    means = [
        {
            **door["runs"][0],
            "p_mask": np.mean([run["p_mask"] for run in door["runs"]], axis=0).tolist(),
        }
        for door in doors.values()
    ]
    return Predictions(
        **{
            field.name: [value for one in means for value in one[field.name]]
            for field in fields(Predictions)
        }
    )


def choose_band(
    runs: Sequence[Predictions], target: float, coverage: float, threshold: float | None = None
) -> Band:
    """From predictions for what was not trained on: the threshold that is right most often, unless it is given, and the band around it.

    The band reaches ``target`` precision and recall, and decides at least ``coverage`` of all. Each class of each run counts the same,
    whatever its size.
    """
    p_mask, labels, weights = _weighted(runs)
    threshold = best_threshold(p_mask, labels, weights) if threshold is None else threshold
    return narrowest_band(
        p_mask, labels, weights, target=target, coverage=coverage, threshold=threshold
    )


def door_temperature(runs: Sequence[Predictions]) -> float:
    """By how much log odds are divided so that probabilities mean at doors what they say; each class of each run counts the same."""
    p_mask, labels, weights = _weighted(runs)
    margin = logit(p_mask.clip(*_SURE)) * np.where(labels == 1, 1, -1)
    return least_loss_temperature(margin, weights, np.round(np.arange(0.3, 3.0, 0.01), 2))


def at_temperature(doors: Mapping[str, Any], temperature: float) -> dict[str, Any]:
    """The same predictions, their log odds divided by a temperature."""

    def divided(run: Mapping[str, Any]) -> dict[str, Any]:
        p_mask = expit(logit(np.clip(run["p_mask"], *_SURE)) / temperature)
        return {**run, "p_mask": [round(float(p), 6) for p in p_mask]}

    return {
        name: {**door, "runs": [divided(run) for run in door["runs"]]}
        for name, door in doors.items()
    }


def _weighted(runs: Sequence[Predictions]) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """All predictions, and their weights: each class of each run counts the same."""
    arrays = [run.arrays() for run in runs]
    p_mask, labels = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
    weights = np.concatenate(
        [1 / np.maximum(np.bincount(truth, minlength=2)[truth], 1) for _, truth in arrays]
    )
    for label in (0, 1):
        weights[labels == label] /= max(float(weights[labels == label].sum()), 1e-12)
    return p_mask, labels, weights


def door_rows(doors: Mapping[str, Any], band: Band) -> list[dict[str, Any]]:
    """For each door, the measures of every seed under a band."""
    return [
        {
            "door": name,
            "sources": door["sources"],
            "runs": [measures(*Predictions(**run).arrays(), band) for run in door["runs"]],
        }
        for name, door in doors.items()
    ]
