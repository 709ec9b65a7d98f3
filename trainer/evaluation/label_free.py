"""Estimates without labels beside the truth, on labelled images: are they right, and why not.

The estimates are those of ``maskgate/estimates``. Every image counts as a visit of its own.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maskgate.estimates.drift import drift
from maskgate.estimates.performance import (
    Estimate,
    Measure,
    estimate,
    unadjusted_estimate,
    wilson,
)
from maskgate.inference.card import ModelCard, ReferenceScores
from maskgate.protocol.scores import BINS, Scores, bin_of, scores_of
from maskgate.protocol.verdict import Outcome
from trainer.evaluation.calibration import reliability
from trainer.evaluation.metrics import Floats

Labels = npt.NDArray[np.int64]
MEASURES = ("accuracy", "precision", "recall")


class Compared(Struct, frozen=True):
    """A measure of what was decided: the truth, the estimate and its 95 % interval.

    ``off`` is the estimate minus the truth, ``unadjusted_off`` that of the estimate without the
    share of masks; None where something is not defined. The intervals are Wilson's.
    """

    truth: float | None
    truth_interval: tuple[float, float]
    estimated: float | None
    interval: tuple[float, float]
    off: float | None
    unadjusted_off: float | None


class Claim(Struct, frozen=True):
    """What an outcome claims, the mean probability of a mask, and the share that is masked."""

    n: int
    claimed: float | None
    true: float | None


class LabelFree(Struct, frozen=True):
    """The comparison on one set of images.

    ``ece`` is the expected calibration error; ``psi`` is against the model's reference, None if
    the card has none or there are too few images.
    """

    n: int
    share_of_masks: float
    estimated_share: float
    coverage: float | None
    measures: dict[str, Compared]
    claims: dict[str, Claim]
    ece: float
    psi: float | None


def scores_of_images(p_mask: Iterable[float], card: ModelCard, visits: int) -> Scores:
    """Count probabilities as a worker counts those of live crops."""
    return scores_of(((p, Outcome(card.outcome(p))) for p in p_mask), visits)


def compare(
    p_mask: Floats,
    labels: Labels,
    card: ModelCard,
    *,
    reference: ReferenceScores | None = None,
    images: int | None = None,
) -> LabelFree:
    """Compare on images (n,); ``images`` is how many there are if some of them are repeated."""
    images = images or len(labels)
    scores = scores_of_images(p_mask.tolist(), card, images)
    share = reference.calibrated_share if reference else 0.5
    found, plain = estimate(scores, share), unadjusted_estimate(scores)
    truths = _truths(p_mask, labels, card, images)
    drifted = drift(scores, reference) if reference else None
    return LabelFree(
        n=images,
        share_of_masks=float(labels.mean()),
        estimated_share=found.share_of_masks,
        coverage=found.coverage.value,
        measures={name: _compared(truths[name], name, found, plain) for name in MEASURES},
        claims=_claims(p_mask, labels, card),
        ece=reliability(p_mask, labels).ece,
        psi=drifted.psi if drifted else None,
    )


def with_share(p_mask: Floats, labels: Labels, share: float) -> tuple[Floats, Labels]:
    """The images, those of one class repeated, so that about this share of them is masked."""
    wanted = {
        1: share / max(int(labels.sum()), 1),
        0: (1 - share) / max(int((1 - labels).sum()), 1),
    }
    often = {
        label: max(1, round(10 * each / min(wanted.values()))) for label, each in wanted.items()
    }
    repeats = np.where(labels == 1, often[1], often[0])
    return p_mask.repeat(repeats), labels.repeat(repeats)


def reference_of(
    p_mask: Floats, labels: Labels, card: ModelCard, *, sources: Iterable[str], data_sha256: str
) -> ReferenceScores | None:
    """The reference of a model's card; None if the images are of one class only."""
    if len(np.unique(labels)) < 2:
        return None
    found = compare(p_mask, labels, card)
    off = {name: measure.off for name, measure in found.measures.items()}
    return ReferenceScores(
        mask=_histogram(p_mask[labels == 1]),
        no_mask=_histogram(p_mask[labels == 0]),
        sources=tuple(sorted(set(sources))),
        data_sha256=data_sha256,
        estimate_off={name: round(value, 5) for name, value in off.items() if value is not None},
    )


def _histogram(p_mask: Floats) -> tuple[int, ...]:
    counts = np.bincount([bin_of(float(p)) for p in p_mask], minlength=BINS)
    return tuple(counts.tolist())


def _truths(p_mask: Floats, labels: Labels, card: ModelCard, images: int) -> dict[str, Measure]:
    outcomes = np.asarray([card.outcome(float(p)) for p in p_mask])
    said, bare = outcomes == "mask", outcomes == "no_mask"
    hits, missed = int(labels[said].sum()), int(labels[bare].sum())
    right = hits + int(bare.sum()) - missed
    independent = images / len(labels)
    return {
        "accuracy": wilson(right, int((said | bare).sum()), independent),
        "precision": wilson(hits, int(said.sum()), independent),
        "recall": wilson(hits, hits + missed, independent),
    }


def _compared(truth: Measure, name: str, found: Estimate, plain: Estimate) -> Compared:
    measure, without = found.by_name()[name], plain.by_name()[name]
    return Compared(
        truth.value,
        (truth.low, truth.high),
        measure.value,
        (measure.low, measure.high),
        _off(measure.value, truth.value),
        _off(without.value, truth.value),
    )


def _off(estimated: float | None, truth: float | None) -> float | None:
    return None if estimated is None or truth is None else estimated - truth


def _claims(p_mask: Floats, labels: Labels, card: ModelCard) -> dict[str, Claim]:
    outcomes = np.asarray([card.outcome(float(p)) for p in p_mask])
    claims = {}
    for outcome in ("mask", "uncertain", "no_mask"):
        here = outcomes == outcome
        claims[outcome] = (
            Claim(int(here.sum()), float(p_mask[here].mean()), float(labels[here].mean()))
            if here.any()
            else Claim(0, None, None)
        )
    return claims
