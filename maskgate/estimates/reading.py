"""Reads what workers counted. The user of Redis needs to read ``cameras`` and ``scores:*``."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import (
    Scores,
    added,
    hours_before,
    parse_scores,
    scores_key,
)
from maskgate.runtime.store import store_errors

_HOUR_MS = 3600 * 1000
#: Workers may add to an hour for so long after its end.
_LATE_MS = 120_000


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


class HoursReader:
    """Reads the hours of all cameras; those that ended are read once and then known.

    Several threads may use it. 200 cameras take half a second at first, then 30 ms.
    """

    def __init__(self, client: Redis, *, hours: int = 24) -> None:
        self._client, self._hours = client, hours
        #: (Camera, beginning) → model → scores.
        self._ended: dict[tuple[str, int], dict[str, Scores]] = {}
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> ByModel:
        """Model → camera → its last hours with crops, oldest first.

        Raises:
            StoreError: Redis does not answer or refuses.
        """
        begun = hours_before(now_ms, self._hours)
        with self._lock:
            known = {key: of for key, of in self._ended.items() if key[1] >= begun[0]}
            found: ByModel = {}
            for camera in read_cameras(self._client):
                by_hour = self._read(camera, begun, known)
                for at_ms, models in by_hour.items():
                    for model, scores in models.items():
                        hour = Hour(at_ms, scores)
                        found.setdefault(model, {}).setdefault(camera, []).append(hour)
                    if at_ms + _HOUR_MS + _LATE_MS <= now_ms:
                        known[camera, at_ms] = models
            self._ended = known
            return found

    def _read(
        self, camera: str, begun: Sequence[int], known: Mapping[tuple[str, int], dict[str, Scores]]
    ) -> dict[int, dict[str, Scores]]:
        """Beginning → model → scores."""
        wanted = [at_ms for at_ms in begun if (camera, at_ms) not in known]
        with store_errors(), self._client.pipeline(transaction=False) as pipe:
            for at_ms in wanted:
                pipe.hgetall(scores_key(camera, at_ms))
            answers = dict(zip(wanted, map(parse_scores, pipe.execute()), strict=True))
        return {
            at_ms: answers[at_ms] if at_ms in answers else known[camera, at_ms] for at_ms in begun
        }


def total(hours: Collection[Hour]) -> Scores:
    """The scores of all these hours together."""
    return added([hour.scores for hour in hours])
