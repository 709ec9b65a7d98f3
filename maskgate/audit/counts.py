"""Reads the counts of audit samples from Redis: by cell, for each window and for each day."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from maskgate.protocol.audit import (
    AUDIT_MODELS_KEY,
    SQUARE,
    WEIGHT,
    audit_cameras_keys,
    audit_day_keys,
    audit_newest_key,
)


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """The counts by cell of a model, over all workers: see :mod:`maskgate.protocol.audit`."""

    #: Of the newest 1,000 samples, without slices and cameras.
    newest: Mapping[str, float]
    #: Today first, then the 29 days before.
    days: Sequence[Mapping[str, float]]

    @property
    def windows(self) -> dict[str, Mapping[str, float]]:
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
    return AuditCounts(_of_newest(newest), [_numbers(day) for day in days])


def read_camera_counts(client: Redis, model: str, now_ms: int) -> Mapping[str, float]:
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


def _of_newest(cells: Iterable[str]) -> Mapping[str, float]:
    """The counts of the newest samples; one with a weight is ``cell~weight``."""
    counts: dict[str, float] = {}
    for each, times in Counter(cells).items():
        cell, _, weight = each.partition("~")
        counts[cell] = counts.get(cell, 0) + times
        if weight:
            more, square = float(weight) - 1, float(weight) ** 2 - 1
            counts[cell + WEIGHT] = counts.get(cell + WEIGHT, 0) + times * more
            counts[cell + SQUARE] = counts.get(cell + SQUARE, 0) + times * square
    return counts


def _numbers(fields: Mapping[str, str]) -> dict[str, float]:
    return {
        str(cell): float(number) if "~" in cell else int(number) for cell, number in fields.items()
    }


def _total(days: Iterable[Mapping[str, float]]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for day in days:
        for cell, number in day.items():
            total[cell] = total.get(cell, 0) + number
    return total
