"""Adds counts of probabilities to Redis: one call for all cameras, which adds nothing twice."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec import msgpack
from redis import Redis

from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import (
    BINS,
    CAMERA_KEPT_MS,
    HOUR_KEPT_MS,
    MILLIONTHS,
    OUTCOMES,
    bin_cell,
    flushes_key,
    scores_key,
    seen_key,
    sum_cell,
    visits_cell,
)
from maskgate.redis_functions import library
from maskgate.runtime.clock import Clock
from maskgate.runtime.store import store_errors
from worker.scores.counts import FIRST_BIN, TRACKS_KEPT, CameraCounts, Counts

#: Redis does nothing else during a call, so a call is short; the calls of a second go together.
_CAMERAS_A_CALL = 16


class ScoresCall(NamedTuple):
    """One call of ``scores.lua``: its keys and its argument, a MessagePack map."""

    keys: list[str]
    argument: bytes


class ScoresStore(Protocol):
    """Where counts are added."""

    def calls(self, counts: Counts) -> list[ScoresCall]:
        """The calls that add these counts to the hour that it is now. Each adds only once."""

    def run(self, calls: Sequence[ScoresCall]) -> None:
        """Add what these calls hold, unless they did.

        Raises:
            StoreError: not all may have been run. It is safe to run the same again, in their order
                and before any newer ones.
        """


class _Visits(msgspec.Struct):
    cell: str
    untracked: int
    tracks: list[str]


class _Camera(msgspec.Struct):
    id: str
    cells: list[str] = msgspec.field(default_factory=list)
    counts: list[int] = msgspec.field(default_factory=list)
    visits: list[_Visits] = msgspec.field(default_factory=list)


class _Batch(msgspec.Struct):
    """The argument of ``scores.lua``."""

    slot: str
    number: int
    cameras: Sequence[_Camera]
    number_ttl_ms: int = 3600 * 1000
    hour_ttl_ms: int = HOUR_KEPT_MS
    camera_kept_ms: int = CAMERA_KEPT_MS
    tracks_kept: int = TRACKS_KEPT
    tracks_ttl_ms: int = 3600 * 1000


class RedisScoresStore:
    """Counts in Redis or Valkey; ``clock`` is Redis's time, which tells the hour."""

    def __init__(self, client: Redis, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # Not the worker's name: a container that is started again has the same.
        self._flushes_key = flushes_key(secrets.token_hex(8))
        self._function = library().function("scores")
        self._number = 0

    def calls(self, counts: Counts) -> list[ScoresCall]:
        """See :class:`ScoresStore`."""
        cameras, now_ms = _cameras(counts), self._clock()
        self._number += 1
        parts = range(0, len(cameras), _CAMERAS_A_CALL)
        return [self._call(cameras[i : i + _CAMERAS_A_CALL], str(i), now_ms) for i in parts]

    def run(self, calls: Sequence[ScoresCall]) -> None:
        """See :class:`ScoresStore`."""
        with store_errors(), self._client.pipeline(transaction=False) as pipe:
            for keys, argument in calls:
                pipe.fcall(self._function, len(keys), *keys, argument)
            pipe.execute()

    def _call(self, cameras: Sequence[_Camera], slot: str, now_ms: int) -> ScoresCall:
        # A slot for each part, because one may fail and the next succeed.
        keys = [CAMERAS_KEY, self._flushes_key]
        for camera in cameras:
            keys += [scores_key(camera.id, now_ms), seen_key(camera.id)]
        return ScoresCall(keys, msgpack.encode(_Batch(slot, self._number, cameras)))


def _cameras(counts: Counts) -> list[_Camera]:
    cameras: dict[str, _Camera] = {}
    for (camera_id, model), counted in counts.items():
        camera = cameras.setdefault(camera_id, _Camera(camera_id))
        for cell, count in _cells(counted, model).items():
            camera.cells.append(cell)
            camera.counts.append(count)
        camera.visits.append(_Visits(visits_cell(model), counted.untracked, counted.tracks))
    return list(cameras.values())


def _cells(counted: CameraCounts, model: str) -> dict[str, int]:
    cells: dict[str, int] = {}
    for outcome in OUTCOMES:
        place = FIRST_BIN[outcome]
        found = {n: count for n in range(BINS) if (count := counted.bins[place + n])}
        cells |= {bin_cell(model, n, outcome): count for n, count in found.items()}
        if found:
            cells[sum_cell(model, outcome)] = round(counted.p_sums[place] * MILLIONTHS)
    return cells
