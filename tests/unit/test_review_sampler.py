"""Which crops are drawn, how often, and with which probability written on them."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from maskgate.inference.image import PPM, decode
from maskgate.inference.limits import FILE_LIMITS
from maskgate.protocol.crop import Crop, Label, Message, new_crop_id
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.review import ReviewCrop, Why
from maskgate.protocol.verdict import Outcome
from worker.result import CropResult
from worker.review.rates import Rates
from worker.review.sampler import ReviewSampler
from worker.validate import ReadableCrop

P_MASK = {Outcome.MASK: 0.99, Outcome.NO_MASK: 0.01, Outcome.UNCERTAIN: 0.5}
PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


class Taken:
    def __init__(self) -> None:
        self.crops: list[ReviewCrop] = []
        self.closed = False

    def offer(self, crop: ReviewCrop) -> None:
        self.crops.append(crop)

    def close(self) -> None:
        self.closed = True


def batch(
    count: int, outcome: Outcome, camera: str = "lobby", queue: QueueKind = QueueKind.LIVE
) -> tuple[list[ReadableCrop], list[CropResult]]:
    label = Label.MASK if queue is QueueKind.AUDIT else None
    crops = [Crop(new_crop_id(), camera, "t", 1000, PPM, b"", label=label) for _ in range(count)]
    readable = [ReadableCrop(Delivery(1, Message(b""), queue), crop, PIXELS) for crop in crops]
    results = [
        CropResult.of_crop(each.delivery, each.crop, outcome, p_mask=P_MASK[outcome])
        for each in readable
    ]
    return readable, results


def bounds(n: int, p: float, z: float = 4.0) -> tuple[float, float]:
    spread = z * math.sqrt(n * p * (1 - p))
    return n * p - spread, n * p + spread


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("outcome", "disagrees", "wanted"),
    [
        (Outcome.MASK, False, 0.02),
        (Outcome.UNCERTAIN, False, 1 - 0.98 * 0.7),
        (Outcome.NO_MASK, True, 1 - 0.98 * 0.2),
    ],
)
def test_as_many_crops_are_drawn_as_their_inclusion_probability_says(
    seed: int, outcome: Outcome, *, disagrees: bool, wanted: float
) -> None:
    taken = Taken()
    sampler = ReviewSampler({"lobby": Rates(0.02, 0.3, 0.8)}, taken, random.Random(seed))
    crops, results = batch(20_000, outcome)
    disagreeing = {each.crop.crop_id for each in crops} if disagrees else ()
    sampler.offer(crops, results, "m", disagreeing)
    low, high = bounds(20_000, wanted)
    assert low < len(taken.crops) < high
    probabilities = [crop.inclusion_probability for crop in taken.crops]
    assert probabilities == pytest.approx([wanted] * len(probabilities))
    reasons = Counter(crop.why for crop in taken.crops)
    special = {Outcome.UNCERTAIN: Why.UNCERTAIN, Outcome.NO_MASK: Why.DISAGREEMENT}.get(outcome)
    assert set(reasons) == ({Why.RANDOM, special} if special else {Why.RANDOM})


def test_a_drawn_crop_says_what_the_model_saw_and_said() -> None:
    taken = Taken()
    crops, results = batch(1, Outcome.UNCERTAIN)
    ReviewSampler({"lobby": Rates(1.0, retention_days=2)}, taken).offer(crops, results, "model 7")
    [drawn] = taken.crops
    assert (drawn.crop_id, drawn.camera_id, drawn.track_id) == (crops[0].crop.crop_id, "lobby", "t")
    assert (drawn.p_mask, drawn.outcome, drawn.model) == (0.5, Outcome.UNCERTAIN, "model 7")
    assert drawn.keep_until_ms == 1000 + 2 * 24 * 3600 * 1000
    assert (decode(drawn.body, drawn.content_type, FILE_LIMITS) == PIXELS).all()


def test_audit_samples_and_other_cameras_are_never_drawn() -> None:
    taken = Taken()
    sampler = ReviewSampler({"lobby": Rates(1.0, 1.0, 1.0)}, taken)
    sampler.offer(*batch(50, Outcome.UNCERTAIN, queue=QueueKind.AUDIT), "m")
    sampler.offer(*batch(50, Outcome.UNCERTAIN, camera="yard"), "m")
    assert taken.crops == []
    sampler.offer(*batch(1, Outcome.UNCERTAIN), "m")
    assert len(taken.crops) == 1


def test_leaving_the_sampler_closes_its_outlet() -> None:
    taken = Taken()
    with ReviewSampler({}, taken):
        assert not taken.closed
    assert taken.closed
