"""How well labelled images are classified, with what remains outside the uncertain band.

Accuracy, precision, recall and AUC come from scikit-learn, Wilson intervals (E. B. Wilson,
"Probable Inference", 1927) from SciPy. Mask is the positive class. What is not defined is None:
AUC of a single class, precision if nothing was classified as mask, recall without masks.

The names of the fields here are those in the JSON files.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy.stats import binomtest
from scipy.stats import t as student_t
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from maskgate.inference.card import ModelCard
from maskgate.inference.model import Model
from trainer.evaluation.calibration import Band

_CHUNK = 256
Floats = npt.NDArray[np.float64]
Labels = Sequence[int] | npt.NDArray[np.int64]
Interval = tuple[float, float]


class Rates(Struct, frozen=True, kw_only=True):
    """Shares of 1."""

    accuracy: float | None
    precision: float | None
    recall: float | None

    def by_name(self) -> dict[str, float | None]:
        """Accuracy, precision and recall."""
        return {name: getattr(self, name) for name in ("accuracy", "precision", "recall")}


class RatesWithAuc(Rates, frozen=True, kw_only=True):
    """Shares of 1, and the area under the ROC curve."""

    auc: float | None

    def by_name(self) -> dict[str, float | None]:
        """Accuracy, precision, recall and AUC."""
        return {name: getattr(self, name) for name in RATES}

    def defined(self) -> dict[str, float]:
        """Those of :meth:`by_name` that are not None."""
        return {name: value for name, value in self.by_name().items() if value is not None}


#: The rates that reports, cards and tables show.
RATES = ("accuracy", "precision", "recall", "auc")


class Confusion(Struct, frozen=True, kw_only=True):
    """Counts by what was predicted, and whether that was true."""

    true_mask: int
    false_mask: int
    true_no_mask: int
    false_no_mask: int


class Intervals(Struct, frozen=True, kw_only=True):
    """Wilson 95 % intervals."""

    accuracy: Interval | None
    precision: Interval | None
    recall: Interval | None


class DecidedRates(Rates, frozen=True, kw_only=True):
    """Rates outside the uncertain band; ``coverage`` is the share of images there."""

    coverage: float | None
    specificity: float | None = None


class Metrics(RatesWithAuc, frozen=True, kw_only=True):
    """The metrics of ``n`` images at one threshold and band."""

    n: int
    confusion: Confusion
    wilson: Intervals
    decided: DecidedRates


_Extended = TypeVar("_Extended", bound=Metrics)


def extend(metrics: Metrics, kind: type[_Extended], **more: Any) -> _Extended:
    """``metrics`` as a ``kind`` of metrics that has more fields."""
    return kind(**msgspec.structs.asdict(metrics), **more)


def p_mask_of(model: Model, reduced: npt.NDArray[np.uint8]) -> Floats:
    """Probabilities (n,) for images at the model's input size, by the code that serves it."""
    return np.concatenate(
        [model.p_mask(reduced[i : i + _CHUNK]) for i in range(0, len(reduced), _CHUNK)]
    )


def band_of(card: ModelCard) -> Band:
    """The threshold and the uncertain band of a model file."""
    return Band(card.threshold, card.uncertain_from, card.uncertain_to)


def classification_metrics(p_mask: Floats, labels: Labels, band: Band) -> Metrics:
    """The metrics of predictions (n,) for labels (n,), with this threshold and band."""
    truth = np.asarray(labels)
    called = p_mask >= band.threshold
    counts = confusion(truth, called)
    found = counts.true_mask
    decided = (p_mask <= band.uncertain_from) | (p_mask >= band.uncertain_to)
    return Metrics(
        n=len(truth),
        **_rates(truth, called),
        auc=float(roc_auc_score(truth, p_mask)) if len(np.unique(truth)) > 1 else None,
        confusion=counts,
        wilson=Intervals(
            accuracy=wilson(found + counts.true_no_mask, len(truth)),
            precision=wilson(found, found + counts.false_mask),
            recall=wilson(found, found + counts.false_no_mask),
        ),
        decided=_decided(truth, called, decided),
    )


def confusion(truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]) -> Confusion:
    """The four counts; ``called`` (n,) says what was classified as mask."""
    return Confusion(
        true_mask=int((called & (truth == 1)).sum()),
        false_mask=int((called & (truth == 0)).sum()),
        true_no_mask=int((~called & (truth == 0)).sum()),
        false_no_mask=int((~called & (truth == 1)).sum()),
    )


def wilson(right: int, n: int) -> Interval | None:
    """The 95 % interval of the share ``right / n``; None if ``n`` is 0."""
    if n == 0:
        return None
    low, high = binomtest(right, n).proportion_ci(method="wilson")
    return float(low), float(high)


def prediction_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval for one more value of the same kind; None of fewer than three values.

    It assumes a normal distribution (Student's t) and is cut at 0 and 1, since values are shares.
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


def _decided(
    truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_], decided: npt.NDArray[np.bool_]
) -> DecidedRates:
    unmasked = decided & (truth == 0)
    return DecidedRates(
        coverage=float(decided.mean()) if len(truth) else None,
        **_rates(truth[decided], called[decided]),
        specificity=float((~called[unmasked]).mean()) if unmasked.any() else None,
    )


def _rates(truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    return {
        "accuracy": float(accuracy_score(truth, called)) if len(truth) else None,
        "precision": float(precision_score(truth, called)) if called.any() else None,
        "recall": float(recall_score(truth, called)) if truth.any() else None,
    }
