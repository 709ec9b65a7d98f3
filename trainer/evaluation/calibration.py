"""Calibrate probabilities, and choose the threshold and the uncertain band around it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def temperature_for(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The temperature with the least log loss, for logits (n, 2) and labels (n,).

    Guo et al., "On Calibration of Modern Neural Networks", 2017. It is never below 1: validation
    images are easier than those of a door and must not make the network more confident.
    """
    margin = (logits[:, 1] - logits[:, 0]).astype(np.float64) * np.where(labels == 1, 1, -1)
    return least_loss_temperature(margin, np.ones(len(margin)), np.logspace(0, 1, 100))


def least_loss_temperature(margin: Floats, weights: Floats, candidates: Floats) -> float:
    """The candidate with the least weighted log loss.

    ``margin`` (n,) is the log odds of the right answer.
    """
    return float(
        candidates[np.argmin([(weights * np.logaddexp(0, -margin / t)).sum() for t in candidates])]
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """For each bin: the mean predicted probability, the share of masks and the number of images.

    ``ece`` is the mean difference of the first two, weighted by the third.
    """

    predicted: list[float]
    observed: list[float]
    counts: list[int]
    ece: float


def reliability(p_mask: Floats, labels: npt.NDArray[np.int64], bins: int = 10) -> Reliability:
    """The reliability curve over equal bins, and the expected calibration error.

    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
    """
    place = np.minimum((p_mask * bins).astype(int), bins - 1)
    filled = [b for b in range(bins) if (place == b).any()]
    predicted = [float(p_mask[place == b].mean()) for b in filled]
    observed = [float(labels[place == b].mean()) for b in filled]
    counts = [int((place == b).sum()) for b in filled]
    gaps = np.abs(np.subtract(predicted, observed))
    return Reliability(predicted, observed, counts, float((gaps * counts).sum() / len(p_mask)))


@dataclass(frozen=True, slots=True)
class Band:
    """The threshold, and the probabilities around it that mean "uncertain"."""

    threshold: float = 0.5
    uncertain_from: float = 0.2
    uncertain_to: float = 0.8


def best_threshold(
    p_mask: Floats, labels: npt.NDArray[np.int64], weights: Floats, max_shift: float = 0.2
) -> float:
    """The threshold with the highest weighted accuracy; of equals, the nearest to 0.5.

    It is at most ``max_shift`` from 0.5: the predictions are from networks that were trained on
    fewer images than the final one, so their bias is larger than its bias.
    """
    candidates = sorted(
        np.round(np.arange(0.5 - max_shift, 0.5 + max_shift + 1e-9, 0.01), 2),
        key=lambda t: abs(t - 0.5),
    )
    right = [float(weights[(p_mask >= t) == (labels == 1)].sum()) for t in candidates]
    return float(candidates[int(np.argmax(np.round(right, 6)))])


def narrowest_band(
    p_mask: Floats,
    labels: npt.NDArray[np.int64],
    weights: Floats,
    *,
    target: float,
    coverage: float = 0.0,
    threshold: float = 0.5,
) -> Band:
    """The narrowest band around ``threshold`` outside which precision and recall reach ``target``.

    Both edges are chosen independently. ``weights`` (n,) is how much each prediction counts. If no
    band that decides at least ``coverage`` of the weight reaches the target, the result is the one
    of them that comes nearest.
    """
    order = np.argsort(p_mask)
    masked, unmasked = (
        np.concatenate(([0.0], np.cumsum((weights * (labels == label))[order]))) for label in (1, 0)
    )
    middle, steps = np.log(threshold / (1 - threshold)), np.arange(0, 4, 0.05)
    lows, highs = (
        np.round(1 / (1 + np.exp(-(middle + side * steps))), 3)[:, None] for side in (-1, 1)
    )
    below = np.searchsorted(p_mask[order], lows, side="right")
    above = np.searchsorted(p_mask[order], highs, side="left").T
    below = np.minimum(below, above)
    true_positives, false_positives = masked[-1] - masked[above], unmasked[-1] - unmasked[above]
    false_negatives, true_negatives = masked[below], unmasked[below]
    precision = true_positives / np.maximum(true_positives + false_positives, 1e-12)
    recall = true_positives / np.maximum(true_positives + false_negatives, 1e-12)
    reached = np.minimum(np.minimum(precision, recall), target)
    decided = (true_positives + false_positives + false_negatives + true_negatives) / weights.sum()
    allowed = np.where(decided >= coverage, reached, -1.0)
    best = np.lexsort((-decided.ravel(), -allowed.ravel()))[0]
    low, high = np.unravel_index(best, decided.shape)
    return Band(threshold, float(lows[low, 0]), float(highs[high, 0]))
