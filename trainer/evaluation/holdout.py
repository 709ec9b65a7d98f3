"""Train on some images and predict others: cross-validation, and leaving one domain out.

No photograph is on both sides (:mod:`trainer.data.groups`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from torch import nn

from maskgate.protocol.errors import ConfigurationError
from trainer.augmentation.copy_paste import cut_masks
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import Band
from trainer.evaluation.folds import Chosen, folds, validation_split
from trainer.evaluation.metrics import (
    RATES,
    Floats,
    Metrics,
    RatesWithAuc,
    classification_metrics,
)
from trainer.evaluation.results import CrossValidation, DomainPredictions, Predictions
from trainer.training.fit import fit
from trainer.training.predict import p_mask_of_trained
from trainer.training.progress import OnProgress
from trainer.training.recipe import Recipe, input_shape, kept_shape


def predict_held_out(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    held_out: Chosen,
    recipe: Recipe,
    on_progress: OnProgress,
    *,
    start: nn.Module | None = None,
) -> Floats:
    """Train without ``held_out`` (n,) and its groups; the probabilities for it, (held_out.sum(),).

    Training starts from the weights of ``start``, if given.
    """
    among = ~held_out & ~np.isin(groups, np.unique(groups[held_out]))
    validates = validation_split(images.labels, groups, among)
    validation = images.subset(validates, input_shape(recipe))
    training = images.subset(among & ~validates, kept_shape(recipe))
    masks = cut_masks(training, groups[among & ~validates])
    trained = fit(training, validation, recipe, on_progress, masks=masks, start=start)
    return p_mask_of_trained(trained, images.subset(held_out, input_shape(recipe)).pixels)


def cross_validate(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    recipe: Recipe,
    count: int,
    on_progress: OnProgress,
    *,
    start: nn.Module | None = None,
    only_train: Chosen | None = None,
) -> CrossValidation:
    """Stratified, grouped k-fold cross-validation with ``count`` folds.

    Every fold starts from the weights of ``start``, if given; that network must not have seen these
    images. Images of ``only_train`` (n,) are never tested on; a fold trains on them unless they
    show a photograph of the fold.
    """
    tested = np.ones(len(images.labels), bool) if only_train is None else ~only_train
    rows, p_mask, positions = [], np.zeros(len(images.labels)), np.flatnonzero(tested)
    chosen_folds = folds(images.labels[tested], groups[tested], count, recipe.seed)
    for number, chosen in enumerate(chosen_folds):
        fold = np.zeros(len(images.labels), bool)
        fold[positions[chosen]] = True
        own = replace(recipe, seed=recipe.seed + number)
        p_mask[fold] = predict_held_out(images, groups, fold, own, on_progress, start=start)
        rows.append(classification_metrics(p_mask[fold], images.labels[fold], Band()))
    return CrossValidation(
        recipe=recipe,
        folds=rows,
        mean=RatesWithAuc(**{name: _mean(rows, name) for name in RATES}),
        spread=RatesWithAuc(**{name: _standard_deviation(rows, name) for name in RATES}),
        all=classification_metrics(p_mask[tested], images.labels[tested], Band()),
        groups=len(np.unique(groups[tested])),
        predictions=predictions_of(images, tested, p_mask[tested]),
        photographs=groups[tested].tolist(),
    )


def leave_domains_out(
    images: LabelledImages,
    groups: npt.NDArray[np.int64],
    recipe: Recipe,
    *,
    domains: Mapping[str, Sequence[str]],
    seeds: int,
    on_progress: OnProgress,
) -> Iterator[tuple[str, DomainPredictions]]:
    """For each domain (a name for one or more sources): train on all others and predict it.

    This is done with ``seeds`` seeds. Yields the results of a domain as soon as they are there.

    Raises:
        ConfigurationError: a domain names an unknown source, or only one class would be left.
    """
    for domain, sources in domains.items():
        _check_domain(domain, sources, images)
    for domain, sources in domains.items():
        held_out = images.of(sources)
        recipes = [replace(recipe, seed=recipe.seed + seed) for seed in range(seeds)]
        runs = [predict_held_out(images, groups, held_out, one, on_progress) for one in recipes]
        yield (
            domain,
            DomainPredictions(
                list(sources), [predictions_of(images, held_out, run) for run in runs]
            ),
        )


def predictions_of(images: LabelledImages, chosen: Chosen, p_mask: Floats) -> Predictions:
    """The predictions ``p_mask`` (chosen.sum(),) for the chosen images, with 6 decimals."""
    positions = np.flatnonzero(chosen)
    return Predictions(
        [str(images.paths[i]) for i in positions],
        [images.sources[i] for i in positions],
        images.labels[positions].tolist(),
        [round(float(p), 6) for p in p_mask],
    )


class DoubtfulLabel(Struct, frozen=True):
    """An image whose label a prediction contradicts."""

    path: str
    source: str
    label: int
    p_mask: float


def doubtful_labels(predictions: Predictions, surer_than: float = 0.9) -> list[DoubtfulLabel]:
    """Labels that a prediction contradicts with more than this probability, the surest first."""
    p_mask, labels = predictions.arrays()
    against = np.where(labels == 1, 1 - p_mask, p_mask)
    return [
        DoubtfulLabel(
            predictions.paths[i],
            predictions.sources[i],
            int(labels[i]),
            round(float(p_mask[i]), 4),
        )
        for i in np.argsort(-against)
        if against[i] > surer_than
    ]


def _check_domain(domain: str, sources: Sequence[str], images: LabelledImages) -> None:
    known = sorted(set(images.sources))
    if missing := sorted(set(sources) - set(known)):
        msg = f"door {domain}: no source {', '.join(missing)}; there are {', '.join(known)}"
        raise ConfigurationError(msg)
    if len(np.unique(images.labels[~images.of(sources)])) < 2:
        msg = f"door {domain}: the other sources have only one class; training needs both"
        raise ConfigurationError(msg)


def _mean(rows: Sequence[Metrics], name: str) -> float | None:
    values = _defined_in_all(rows, name)
    return None if values is None else float(np.mean(values))


def _standard_deviation(rows: Sequence[Metrics], name: str) -> float | None:
    values = _defined_in_all(rows, name)
    return None if values is None else float(np.std(values, ddof=1))


def _defined_in_all(rows: Sequence[Metrics], name: str) -> list[float] | None:
    """A rate of each fold; None if a fold does not define it."""
    values = [row.by_name()[name] for row in rows]
    defined = [value for value in values if value is not None]
    return defined if len(defined) == len(values) else None
