"""Several cross-validations as one: each image's predictions by networks that did not see it."""

from collections.abc import Sequence

import numpy as np

from maskgate.protocol.errors import ConfigurationError
from trainer.evaluation.folds import Chosen, folds
from trainer.evaluation.metrics import Floats
from trainer.evaluation.results import Predictions

_FOLDS = 5
_CANDIDATES = np.arange(0.05, 0.951, 0.01)
#: No network is surer than this: its mistake would outvote all others.
_SUREST = 0.999


def ensemble(members: Sequence[Predictions]) -> Predictions:
    """The mean log-odds of all members, as probabilities, in the order of the first.

    The members may have different folds: what a network predicts, it was not trained on.

    Raises:
        ConfigurationError: they are not about the same images, or differ in a label.
    """
    first = members[0]
    said = np.mean([_log_odds(_in_order(each, first)) for each in members], axis=0)
    return _of_log_odds(first, said)


def at_thresholds_of_others(
    predictions: Predictions, photographs: Sequence[int]
) -> tuple[Predictions, list[float]]:
    """Move each fold's log-odds so that 0.5 is the threshold that the other folds chose.

    They chose the one with the largest smaller one of precision and recall; of several, their mean.
    ``photographs`` has a number for each prediction, the same for copies of one photograph. Returns
    the moved predictions and the threshold of each fold.

    Raises:
        ConfigurationError: there are too few photographs for folds.
    """
    p_mask, labels = predictions.arrays()
    log_odds, thresholds = _log_odds(p_mask), []
    for fold in folds(labels, np.asarray(photographs), _FOLDS, seed=0):
        threshold = _balanced(p_mask[~fold], labels[~fold] == 1)
        thresholds.append(threshold)
        log_odds[fold] -= _log_odds(np.array([threshold]))
    return _of_log_odds(predictions, log_odds), thresholds


def _balanced(p_mask: Floats, is_masked: Chosen) -> float:
    called = p_mask[:, None] >= _CANDIDATES
    found = (called & is_masked[:, None]).sum(0)
    smaller = np.minimum(found / np.maximum(1, called.sum(0)), found / is_masked.sum())
    return float(_CANDIDATES[smaller == smaller.max()].mean())


def _in_order(member: Predictions, first: Predictions) -> Floats:
    by_path = {
        path: (label, p)
        for path, label, p in zip(member.paths, member.labels, member.p_mask, strict=True)
    }
    if by_path.keys() != set(first.paths):
        other = min(by_path.keys() ^ set(first.paths))
        msg = f"the cross-validations are about different images, for example {other}"
        raise ConfigurationError(msg)
    for path, label in zip(first.paths, first.labels, strict=True):
        if by_path[path][0] != label:
            msg = f"{path} has different labels in the cross-validations"
            raise ConfigurationError(msg)
    return np.array([by_path[path][1] for path in first.paths])


def _log_odds(p_mask: Floats) -> Floats:
    bounded = np.clip(p_mask, 1 - _SUREST, _SUREST)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _of_log_odds(images: Predictions, log_odds: Floats) -> Predictions:
    p_mask = [round(float(p), 6) for p in 1 / (1 + np.exp(-log_odds))]
    return Predictions(images.paths, images.sources, images.labels, p_mask)
