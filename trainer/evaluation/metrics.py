"""What a model is worth on labelled images: accuracy, precision, recall, AUC and what is left when doubt is set aside.

Rates by scikit-learn; Wilson intervals ("Probable inference", 1927) by SciPy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from scipy.stats import t as student_t
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from trainer.evaluation.calibration import Band

_CHUNK = 256
#: What reports, cards and tables say of a model.
RATES = ("accuracy", "precision", "recall", "auc")
Floats = npt.NDArray[np.float64]
Labels = Sequence[int] | npt.NDArray[np.int64]


def p_mask_of(model: Model, reduced: npt.NDArray[np.uint8]) -> Floats:
    """Probabilities for images at the model's input size, shape (n,): measured in onnxruntime, through the code that serves it."""
    return np.concatenate(
        [model.p_mask(reduced[i : i + _CHUNK]) for i in range(0, len(reduced), _CHUNK)]
    )


def band_of(card: ModelCard) -> Band:
    """The thresholds that a model file carries."""
    return Band(card.threshold, card.uncertain_from, card.uncertain_to)


def measures(p_mask: Floats, labels: Labels, band: Band) -> dict[str, Any]:
    """Accuracy, precision, recall (mask positive, at the threshold), AUC; ``decided``: the same outside the uncertain band.

    What is not defined is None: AUC for a single class, precision where nothing was called a mask, recall without masks.
    """
    truth = np.asarray(labels)
    called = p_mask >= band.threshold
    decided = (p_mask <= band.uncertain_from) | (p_mask >= band.uncertain_to)
    return {
        "n": len(truth),
        **_rates(truth, called),
        "auc": float(roc_auc_score(truth, p_mask)) if len(np.unique(truth)) > 1 else None,
        "confusion": confusion(truth, called),
        "wilson": {name: wilson(*counts) for name, counts in _counts(truth, called).items()},
        "decided": {
            "coverage": float(decided.mean()) if len(truth) else None,
            **_rates(truth[decided], called[decided]),
            "specificity": float((~called[decided & (truth == 0)]).mean())
            if (decided & (truth == 0)).any()
            else None,
        },
    }


def confusion(truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]) -> dict[str, int]:
    """The four counts, mask positive."""
    return {
        "true_mask": int((called & (truth == 1)).sum()),
        "false_mask": int((called & (truth == 0)).sum()),
        "true_no_mask": int((~called & (truth == 0)).sum()),
        "false_no_mask": int((~called & (truth == 1)).sum()),
    }


def wilson(right: int, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a share; None of nothing."""
    if n == 0:
        return None
    low, high = binomtest(right, n).proportion_ci(method="wilson")
    return float(low), float(high)


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where one more value of the same kind is expected 95 times of 100 (Student's t, values taken as normal); None of fewer than three.

    A share can't be above one: the interval is cut there.
    """
    if len(values) < 3:
        return None
    half = (
        float(student_t.ppf(0.975, len(values) - 1))
        * float(np.std(values, ddof=1))
        * (1 + 1 / len(values)) ** 0.5
    )
    mean = float(np.mean(values))
    return max(0.0, mean - half), min(1.0, mean + half)


def _counts(
    truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]
) -> dict[str, tuple[int, int]]:
    found = int((called & (truth == 1)).sum())
    return {
        "accuracy": (int((called == (truth == 1)).sum()), len(truth)),
        "precision": (found, int(called.sum())),
        "recall": (found, int((truth == 1).sum())),
    }


def _rates(truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    return {
        "accuracy": float(accuracy_score(truth, called)) if len(truth) else None,
        "precision": float(precision_score(truth, called)) if called.any() else None,
        "recall": float(recall_score(truth, called)) if truth.any() else None,
    }
