"""Reads what workers counted. The user of Redis needs to read ``cameras`` and ``scores:*``."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from redis import Redis

from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import (
    NO_SCORES,
    Scores,
    hours_before,
    parse_scores,
    scores_key,
)
from maskgate.runtime.store import store_errors


@dataclass(frozen=True, slots=True)
class Hour:
    """The scores of one camera and model in the hour that began then."""

    begun_ms: int
    scores: Scores


#: Model → camera → hours.
ByModel = dict[str, dict[str, list[Hour]]]


def read_cameras(client: Redis) -> dict[str, int]:
    """Camera → when a crop of it was last counted, in milliseconds, within a day.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors():
        found: Any = client.zrange(CAMERAS_KEY, 0, -1, withscores=True)
    return {str(camera): int(at_ms) for camera, at_ms in found}


def read_hours(client: Redis, cameras: Collection[str], *, now_ms: int, hours: int = 24) -> ByModel:
    """Model → camera → its last hours with crops, oldest first; one round trip for each camera.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    begun = hours_before(now_ms, hours)
    found: ByModel = {}
    for camera in cameras:
        with store_errors(), client.pipeline(transaction=False) as pipe:
            for at_ms in begun:
                pipe.hgetall(scores_key(camera, at_ms))
            answers = pipe.execute()
        for at_ms, fields in zip(begun, answers, strict=True):
            for model, scores in parse_scores(fields).items():
                found.setdefault(model, {}).setdefault(camera, []).append(Hour(at_ms, scores))
    return found


def total(hours: Collection[Hour]) -> Scores:
    """The scores of all these hours together."""
    return sum((hour.scores for hour in hours), NO_SCORES)
