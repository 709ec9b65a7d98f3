"""Offers crops that a challenger saw to the review sampler, when it is known where it disagrees."""

from collections.abc import Sequence

from worker.models.shadow import Compared
from worker.review.sampler import ReviewSampler


def offer_compared(sampler: ReviewSampler | None, compared: Sequence[Compared]) -> None:
    """Offer crops that the same two models classified; without a sampler, do nothing.

    A crop is offered once: here, or right after its batch if no challenger sees it.
    """
    if sampler is None or not compared:
        return
    sampler.offer(
        [each.crop for each in compared],
        [each.champion for each in compared],
        compared[0].model,
        {each.crop.crop.crop_id for each in compared if each.differs},
    )
