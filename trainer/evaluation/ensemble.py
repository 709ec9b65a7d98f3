"""Several cross-validations as one: each image's predictions by networks that did not see it."""

from collections.abc import Sequence

import numpy as np

from maskgate.protocol.errors import ConfigurationError
from trainer.evaluation.metrics import Floats
from trainer.evaluation.results import Predictions

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
    p_mask = [round(float(p), 6) for p in 1 / (1 + np.exp(-said))]
    return Predictions(first.paths, first.sources, first.labels, p_mask)


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
