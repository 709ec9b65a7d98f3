"""What an exported file is worth on labelled images: measured in onnxruntime, through the code that serves it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from contract.card import ModelCard
from contract.model import Model

_CHUNK = 256


def p_mask_of(model: Model, reduced: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Probabilities for images at the model's input size, shape (n,)."""
    return np.concatenate([model.p_mask(reduced[i : i + _CHUNK]) for i in range(0, len(reduced), _CHUNK)])


def measures(p_mask: npt.NDArray[np.float64], labels: Sequence[int] | npt.NDArray[np.int64], card: ModelCard) -> dict[str, Any]:
    """Accuracy, precision, recall (mask positive, at the card's threshold), AUC; ``decided``: the same outside the uncertain band.

    What is not defined is None: AUC for a single class, precision where nothing was called a mask, recall without masks.
    """
    truth = np.asarray(labels)
    decided = (p_mask <= card.uncertain_from) | (p_mask >= card.uncertain_to)
    both = len(np.unique(truth)) > 1
    return {
        "n": len(truth),
        **_rates(truth, p_mask >= card.threshold),
        "auc": float(roc_auc_score(truth, p_mask)) if both else None,
        "decided": {
            "coverage": float(decided.mean()) if len(truth) else None,
            **_rates(truth[decided], (p_mask >= card.threshold)[decided]),
        },
    }


def _rates(truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    return {
        "accuracy": float(accuracy_score(truth, called)) if len(truth) else None,
        "precision": float(precision_score(truth, called)) if called.any() else None,
        "recall": float(recall_score(truth, called)) if truth.any() else None,
    }
