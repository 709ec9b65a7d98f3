"""The work of every peer per crop: decode, classify, write the verdict to the keys of a door.

This is a handler as a developer would write it, with maskgate's decoding and model, one crop at a
time and one Redis pipeline per crop. In favour of the peers it leaves out validation, order and
expiry of verdicts, consensus over a track, audit, logs and metrics.
"""

import os
import time

from redis import Redis

from maskgate.inference.image import decode
from maskgate.inference.limits import crop_limits
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.verdict import history_key, verdict_key
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL

_TTL_MS = 600_000


class Work:
    """The model and the Redis client of a process."""

    def __init__(self) -> None:
        self._model = Model.load(THUMBNAIL_MODEL)
        self._limits = crop_limits(self._model.card.input)
        self._redis = Redis.from_url(os.environ["MASKGATE_REDIS_URL"])

    def do(
        self, body: bytes, content_type: str, camera: str, crop_id: str, captured_at_ms: int
    ) -> None:
        """Classify a crop and write its verdict."""
        card = self._model.card
        image = reduce(decode(body, content_type, self._limits), card.input)
        p_mask = float(self._model.p_mask([image])[0])
        verdict: dict[str | bytes, str | int] = {
            "crop_id": crop_id,
            "outcome": card.outcome(p_mask),
            "p_mask": f"{p_mask:.4f}",
            "captured_at": captured_at_ms,
            "decided_at": time.time_ns() // 1_000_000,
            "model": card.name,
        }
        pipe = self._redis.pipeline(transaction=False)
        # Type ignored: redis-py accepts more types than its annotations say.
        pipe.hset(verdict_key(camera), mapping=verdict)  # type: ignore[arg-type]
        pipe.pexpire(verdict_key(camera), _TTL_MS)
        pipe.xadd(history_key(camera), verdict, maxlen=1_000_000)  # type: ignore[arg-type]
        pipe.publish(history_key(camera), crop_id)
        pipe.execute()
