"""Choose temperature, threshold and band from predictions for held-out domains.

A held-out domain is a set of sources that the predicting network was not trained on, as a new
door's images would be.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy.special import expit, logit

from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import (
    Band,
    best_threshold,
    least_loss_temperature,
    narrowest_band,
)
from trainer.evaluation.holdout import predictions_of
from trainer.evaluation.metrics import Floats, Metrics, classification_metrics
from trainer.evaluation.results import DomainPredictions, Predictions
from trainer.training.checkpoint import Trained
from trainer.training.predict import p_mask_of_trained

#: The default target of precision and recall outside the band, and the share it must decide.
TARGET, COVERAGE = 0.99, 0.9
#: Probabilities have 6 decimals; they are clipped here, so that their log odds are finite.
_CLIPPED = (1e-6, 1 - 1e-6)
#: No uncertain band: for comparing networks whose thresholds were not chosen.
DECIDE_ALL = Band(0.5, 0.5, 0.5)

Domains = Mapping[str, DomainPredictions]


class DomainMetrics(Struct, frozen=True):
    """The metrics of every seed for one held-out domain; JSON calls the domain a door."""

    domain: str = msgspec.field(name="door")
    sources: list[str]
    runs: list[Metrics]


def predict_domains(trained: Trained, images: LabelledImages) -> dict[str, DomainPredictions]:
    """A finished network's predictions: each source of ``images`` is a domain with one run."""
    p_mask = p_mask_of_trained(trained, images.pixels)
    domains = {}
    for source in sorted(set(images.sources)):
        here = images.of([source])
        run = predictions_of(images, here, p_mask[here])
        domains[source] = DomainPredictions([source], [run])
    return domains


def all_runs(domains: Domains) -> list[Predictions]:
    """The predictions of every seed for every domain."""
    return [run for domain in domains.values() for run in domain.runs]


def mean_of_seeds(domains: Domains) -> Predictions:
    """One prediction for each image of all domains: the mean probability over the seeds."""
    firsts = [domain.runs[0] for domain in domains.values()]
    means = [
        np.mean([run.p_mask for run in domain.runs], axis=0).tolist() for domain in domains.values()
    ]
    return Predictions(
        [path for run in firsts for path in run.paths],
        [source for run in firsts for source in run.sources],
        [label for run in firsts for label in run.labels],
        [p for mean in means for p in mean],
    )


def choose_band(
    runs: Sequence[Predictions], target: float, coverage: float, threshold: float | None = None
) -> Band:
    """The most accurate threshold, unless one is given, and the narrowest band around it.

    The band reaches ``target`` precision and recall and decides at least ``coverage`` of all. Each
    class of each run has the same weight, whatever its size.
    """
    p_mask, labels, weights = _weighted(runs)
    threshold = best_threshold(p_mask, labels, weights) if threshold is None else threshold
    return narrowest_band(
        p_mask, labels, weights, target=target, coverage=coverage, threshold=threshold
    )


def domain_temperature(runs: Sequence[Predictions]) -> float:
    """The temperature that calibrates these predictions: their log odds are divided by it.

    Each class of each run has the same weight.
    """
    p_mask, labels, weights = _weighted(runs)
    margin = logit(p_mask.clip(*_CLIPPED)) * np.where(labels == 1, 1, -1)
    return least_loss_temperature(margin, weights, np.round(np.arange(0.3, 3.0, 0.01), 2))


def at_temperature(domains: Domains, temperature: float) -> dict[str, DomainPredictions]:
    """The same predictions with their log odds divided by ``temperature``."""

    def scaled(run: Predictions) -> Predictions:
        p_mask = expit(logit(np.clip(run.p_mask, *_CLIPPED)) / temperature)
        return msgspec.structs.replace(run, p_mask=[round(float(p), 6) for p in p_mask])

    return {
        name: DomainPredictions(domain.sources, [scaled(run) for run in domain.runs])
        for name, domain in domains.items()
    }


def domain_metrics(domains: Domains, band: Band) -> list[DomainMetrics]:
    """For each domain, the metrics of every seed with this band."""
    return [
        DomainMetrics(
            name,
            domain.sources,
            [classification_metrics(*run.arrays(), band) for run in domain.runs],
        )
        for name, domain in domains.items()
    ]


def _weighted(runs: Sequence[Predictions]) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Probabilities, labels and weights: each class of each run has the same weight."""
    arrays = [run.arrays() for run in runs]
    p_mask, labels = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
    weights = np.concatenate(
        [1 / np.maximum(np.bincount(truth, minlength=2)[truth], 1) for _, truth in arrays]
    )
    for label in (0, 1):
        weights[labels == label] /= max(float(weights[labels == label].sum()), 1e-12)
    return p_mask, labels, weights
