"""Draws the crops that people shall label, from batches that are written."""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, Self

from maskgate.inference.image import encode_pnm
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.review import ReviewCrop
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult
from worker.review.rates import Rates, inclusion_probability
from worker.validate import ReadableCrop

_DAY_MS = 24 * 3600 * 1000


class ReviewOutlet(Protocol):
    """Where drawn crops go; never waits."""

    def offer(self, crop: ReviewCrop) -> None:
        """Take a crop, or drop it and count that."""

    def close(self) -> None:
        """Disconnect. Never raises."""


class ReviewSampler:
    """Live crops of the cameras that have rates; never audit samples.

    Each reason is drawn by itself (Poisson sampling), so that a crop's inclusion probability is
    known. Leaving it as a context manager closes its outlet.
    """

    def __init__(
        self,
        rates: Mapping[str, Rates],
        outlet: ReviewOutlet,
        rng: random.Random | None = None,
    ) -> None:
        self._rates = rates
        # Computed once: this is in the loop, for every crop.
        self._chances = {
            (camera, uncertain, disagrees): list(
                each.chances(
                    Outcome.UNCERTAIN if uncertain else Outcome.MASK, disagrees=disagrees
                ).items()
            )
            for camera, each in rates.items()
            for uncertain in (False, True)
            for disagrees in (False, True)
        }
        self._outlet = outlet
        self._random = (rng or random.Random()).random

    def offer(
        self,
        crops: Sequence[ReadableCrop],
        results: Sequence[CropResult],
        model: str,
        disagreeing: Collection[str] = (),
    ) -> None:
        """Draw from one batch: its readable crops and, in the same order, their results.

        ``model`` is the name of the model that classified them; ``disagreeing`` has the ids of the
        crops about which a challenger says something else.
        """
        for readable, result in zip(crops, results, strict=True):
            crop = readable.crop
            if result.queue is not QueueKind.LIVE or crop.camera_id not in self._rates:
                continue
            uncertain, disagrees = result.outcome is Outcome.UNCERTAIN, crop.crop_id in disagreeing
            chances = self._chances[crop.camera_id, uncertain, disagrees]
            reasons = [why for why, chance in chances if self._random() < chance]
            if reasons and result.p_mask is not None:
                self._outlet.offer(
                    ReviewCrop(
                        p_mask=result.p_mask,
                        outcome=result.outcome,
                        model=model,
                        why=reasons[-1],
                        inclusion_probability=inclusion_probability(dict(chances)),
                        **_facts(readable, self._rates[crop.camera_id]),
                    )
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._outlet.close()


def _facts(readable: ReadableCrop, rates: Rates) -> dict[str, Any]:
    """What a crop to label takes from the crop itself."""
    crop, image = readable.crop, readable.image
    body, content_type = encode_pnm(image[:, :, 0] if image.shape[2] == 1 else image)
    return {
        "crop_id": crop.crop_id,
        "camera_id": crop.camera_id,
        "track_id": crop.track_id,
        "captured_at_ms": crop.captured_at_ms,
        "keep_until_ms": crop.captured_at_ms + rates.retention_days * _DAY_MS,
        "content_type": content_type,
        "body": body,
    }
