"""Crops to label as a worker would send them."""

import msgspec

from maskgate.protocol.crop import new_crop_id
from maskgate.protocol.review import ReviewCrop, Why
from maskgate.protocol.verdict import Outcome

NOW_MS = 1_790_000_000_000
DAY_MS = 24 * 3600 * 1000


def review_crop(**changes: object) -> ReviewCrop:
    crop = ReviewCrop(
        crop_id=new_crop_id(),
        camera_id="lobby",
        track_id="t",
        captured_at_ms=NOW_MS,
        p_mask=0.5,
        outcome=Outcome.UNCERTAIN,
        model="m",
        why=Why.UNCERTAIN,
        inclusion_probability=0.25,
        keep_until_ms=NOW_MS + 30 * DAY_MS,
        content_type="image/x-portable-pixmap",
        body=b"P6 2 2 255\nABCDEFGHIJKL",
    )
    return msgspec.structs.replace(crop, **changes)
