"""Adds the counts of a worker to Redis once a second, whatever becomes of Redis.

The desk estimates precision without labels from them: docs/adr/0046. What a worker that dies has
not added yet is lost: the crops of at most a second. A crop that is delivered again after that may
be counted twice, as in the history.
"""

import time
from collections.abc import Sequence

import structlog

from maskgate.protocol.errors import StoreError
from worker.result import CropResult
from worker.scores.counts import Counts, ScoreCounter
from worker.scores.store import ScoresCall, ScoresStore

_EVERY_S = 1.0
#: Counts that Redis has refused for so long are dropped: they would end up in a wrong hour.
_OLDEST_S = 60.0

log = structlog.get_logger()


class ScoreFlusher:
    """Counts in memory; :meth:`flush` adds to Redis. No failure reaches the loop."""

    def __init__(self, store: ScoresStore) -> None:
        self._store = store
        self._counter = ScoreCounter()
        #: Sent, and not known to be added.
        self._sent: list[ScoresCall] = []
        self._crops = 0
        self._sent_s = self._due_s = time.monotonic()
        self._failing = False

    def add(self, results: Sequence[CropResult], model: str) -> None:
        """Count the live crops that this model classified."""
        self._counter.add(results, model)

    def flush_if_due(self) -> None:
        """Add the counts to Redis if the last time was a second ago."""
        if time.monotonic() >= self._due_s:
            self.flush()

    def flush(self) -> None:
        """Add the counts to Redis now. What fails is sent again before anything newer."""
        now_s = time.monotonic()
        self._due_s = now_s + _EVERY_S
        if not self._sent:
            counts, self._sent_s = self._counter.take(), now_s
            self._sent, self._crops = self._store.calls(counts), _crops(counts)
        if self._sent:
            self._send(now_s)

    def _send(self, now_s: float) -> None:
        try:
            self._store.run(self._sent)
        except StoreError as error:
            if not self._failing:
                log.warning("scores.not_added", error=str(error))
            self._failing = True
            if now_s - self._sent_s > _OLDEST_S:
                self._drop()
            return
        self._sent, self._failing = [], False

    def _drop(self) -> None:
        log.warning("scores.dropped", crops=self._crops + _crops(self._counter.take()))
        self._sent = []


def _crops(counts: Counts) -> int:
    return sum(sum(camera.bins) for camera in counts.values())
