"""Splits that keep the images of one photograph together (:mod:`trainer.data.groups`)."""

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from maskgate.protocol.errors import ConfigurationError

Chosen = npt.NDArray[np.bool_]
#: One of so many folds of the training images is for validation.
_VALIDATION_FOLDS = 16


def folds(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], count: int, seed: int
) -> list[Chosen]:
    """For each fold, which images it tests on, (n,): stratified by label, groups kept together.

    Raises:
        ConfigurationError: a class has fewer groups than there are folds.
    """
    for label, name in ((1, "with a mask"), (0, "without a mask")):
        have = len(np.unique(groups[labels == label]))
        if have < count:
            msg = (
                f"{count} folds need {count} different photographs of each class; "
                f"there are {have} {name}"
            )
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
    """Which of the images ``among`` (n,) are for validation, (n,): a grouped, stratified fold.

    If there are too few photographs for folds, every tenth image.
    """
    positions = np.flatnonzero(among)
    validates = np.zeros(len(labels), bool)
    have = min(len(np.unique(groups[among & (labels == label)])) for label in (0, 1))
    if have >= _VALIDATION_FOLDS:
        validates[positions[folds(labels[among], groups[among], _VALIDATION_FOLDS, 0)[0]]] = True
    else:
        validates[positions[::10]] = True
    return validates
