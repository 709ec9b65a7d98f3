"""From logits to probabilities that mean what they say, and to the doubt around the threshold."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def temperature_for(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The temperature with the least log loss, for logits (n, 2) (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Never below 1: validation pictures are easier than a door's, they may not make the network surer of itself.
    """
    margin = (logits[:, 1] - logits[:, 0]).astype(np.float64) * np.where(labels == 1, 1, -1)
    return least_loss_temperature(margin, np.ones(len(margin)), np.logspace(0, 1, 100))


def least_loss_temperature(margin: Floats, weights: Floats, candidates: Floats) -> float:
    """Of the candidates, that with the least weighted log loss; ``margin`` (n,) is by how much log odds speak for the right answer."""
    return float(
        candidates[np.argmin([(weights * np.logaddexp(0, -margin / t)).sum() for t in candidates])]
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """Per bin of predicted probability: the mean prediction, the share of masks and the count; ``ece`` weighs the gaps by count."""

    predicted: list[float]
    observed: list[float]
    counts: list[int]
    ece: float


def reliability(p_mask: Floats, labels: npt.NDArray[np.int64], bins: int = 10) -> Reliability:
    """The reliability curve over equal bins, and the expected calibration error (Naeini et al., 2015)."""
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
    p_mask: Floats, labels: npt.NDArray[np.int64], weights: Floats, stray: float = 0.2
) -> float:
    """The threshold, at most ``stray`` from one half, with the largest weighted share of right calls; the nearest to one half of equals.

    It may not stray far, because the networks that were asked lacked what the finished one has seen: their bias is larger than its own.
    """
    candidates = sorted(
        np.round(np.arange(0.5 - stray, 0.5 + stray + 1e-9, 0.01), 2), key=lambda t: abs(t - 0.5)
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
    """The narrowest band that holds ``threshold`` and outside which precision and recall reach ``target``; each edge has its own distance.

    ``weights`` says how much each prediction counts: equal parts a source, so that the largest does not decide for all. If no band
    that decides at least ``coverage`` reaches the target, the one of those that comes nearest.
    """
    order = np.argsort(p_mask)
    masks, bare = (
        np.concatenate(([0.0], np.cumsum((weights * (labels == label))[order]))) for label in (1, 0)
    )
    middle, steps = np.log(threshold / (1 - threshold)), np.arange(0, 4, 0.05)
    lows, highs = (
        np.round(1 / (1 + np.exp(-(middle + side * steps))), 3)[:, None] for side in (-1, 1)
    )
    below = np.searchsorted(p_mask[order], lows, side="right")
    above = np.searchsorted(p_mask[order], highs, side="left").T
    below = np.minimum(below, above)
    found, false, missed = masks[-1] - masks[above], bare[-1] - bare[above], masks[below]
    reached = np.minimum(
        np.minimum(
            found / np.maximum(found + false, 1e-12), found / np.maximum(found + missed, 1e-12)
        ),
        target,
    )
    decided = (found + false + missed + bare[below]) / weights.sum()
    allowed = np.where(decided >= coverage, reached, -1.0)
    best = np.lexsort((-decided.ravel(), -allowed.ravel()))[0]
    low, high = np.unravel_index(best, decided.shape)
    return Band(threshold, float(lows[low, 0]), float(highs[high, 0]))
