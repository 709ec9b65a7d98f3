"""Reads the counts of audit samples from Redis: by cell, for each window and for each day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from maskgate.protocol.audit import audit_day_keys, audit_newest_key


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
        total: Counter[str] = Counter()
        for day in self.days:
            total.update(day)
        return {"newest": self.newest, "today": self.days[0], "30d": total}


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
    by_day = [{str(cell): int(count) for cell, count in day.items()} for day in days]
    return AuditCounts(Counter(newest), by_day)
