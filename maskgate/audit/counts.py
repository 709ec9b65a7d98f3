"""Reads the counts of audit samples from Redis: by cell, for each window and for each day."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from maskgate.protocol.audit import (
    AUDIT_MODELS_KEY,
    audit_cameras_keys,
    audit_day_keys,
    audit_newest_key,
)


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """The counts by cell of a model, over all workers: see :mod:`maskgate.protocol.audit`."""

    #: Of the newest 1,000 samples, without slices and cameras.
    newest: Mapping[str, int]
    #: Today first, then the 29 days before.
    days: Sequence[Mapping[str, int]]

    @property
    def windows(self) -> dict[str, Mapping[str, int]]:
        """The windows ``newest``, ``today`` and ``30d``."""
        return {"newest": self.newest, "today": self.days[0], "30d": _total(self.days)}


def read_counts(client: Redis, model: str, now_ms: int) -> AuditCounts:
    """The counts of a model, in one round trip.

    Raises:
        RedisError: Redis does not answer, or refuses (``store_errors`` turns it into a StoreError).
    """
    with client.pipeline(transaction=False) as pipe:
        pipe.lrange(audit_newest_key(model), 0, -1)
        for key in audit_day_keys(model, now_ms):
            pipe.hgetall(key)
        newest, *days = pipe.execute()
    return AuditCounts(Counter(newest), [_numbers(day) for day in days])


def read_camera_counts(client: Redis, model: str, now_ms: int) -> Mapping[str, int]:
    """The counts of the last 30 days by camera, each cell with the camera where a slice would be.

    Raises:
        RedisError: as for :func:`read_counts`.
    """
    with client.pipeline(transaction=False) as pipe:
        for key in audit_cameras_keys(model, now_ms):
            pipe.hgetall(key)
        return _total(map(_numbers, pipe.execute()))


def read_models(client: Redis) -> list[str]:
    """The models that have counts, the one with the newest sample first.

    Raises:
        RedisError: as for :func:`read_counts`.
    """
    return [str(model) for model in client.zrange(AUDIT_MODELS_KEY, 0, -1, desc=True)]


def _numbers(fields: Mapping[str, str]) -> dict[str, int]:
    return {str(cell): int(count) for cell, count in fields.items()}


def _total(days: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for day in days:
        total.update(day)
    return total
