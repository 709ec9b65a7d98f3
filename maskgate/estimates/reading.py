"""Reads what workers counted. The user of Redis needs to read ``cameras`` and ``scores:*``."""

from collections.abc import Collection, Mapping
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


def read_cameras(client: Redis) -> dict[str, int]:
    """Camera → when a crop of it was last counted, in milliseconds, within a day.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors():
        found: Any = client.zrange(CAMERAS_KEY, 0, -1, withscores=True)
    return {str(camera): int(at_ms) for camera, at_ms in found}


def read_hours(
    client: Redis, cameras: Collection[str], model: str, *, now_ms: int, hours: int = 24
) -> dict[str, list[Hour]]:
    """Camera → its last hours with crops of this model, oldest first, in one round trip.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    begun = hours_before(now_ms, hours)
    with store_errors(), client.pipeline(transaction=False) as pipe:
        for camera in cameras:
            for at_ms in begun:
                pipe.hgetall(scores_key(camera, at_ms))
        answers = iter(pipe.execute())
    return {camera: _hours(model, {at_ms: next(answers) for at_ms in begun}) for camera in cameras}


def total(hours: Collection[Hour]) -> Scores:
    """The scores of all these hours together."""
    return sum((hour.scores for hour in hours), NO_SCORES)


def _hours(model: str, found: Mapping[int, Mapping[str, str]]) -> list[Hour]:
    by_hour = {at_ms: parse_scores(fields).get(model) for at_ms, fields in found.items()}
    return [Hour(at_ms, scores) for at_ms, scores in by_hour.items() if scores]
