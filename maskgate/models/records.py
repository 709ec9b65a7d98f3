"""Reads from Redis who is champion and what the running workers hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from maskgate.protocol.models import (
    HISTORY_KEY,
    HOLDING_TTL_MS,
    MAX_PROMOTIONS,
    MODELS_KEY,
    WORKERS_KEY,
    Holding,
    ModelId,
    Promotion,
    Reign,
    pairs_audit_key,
    pairs_live_key,
    parse_holding,
    parse_promotion,
    parse_reign,
)
from maskgate.runtime.store import store_errors


@dataclass(frozen=True, slots=True)
class Models:
    """One reading. ``workers`` are those that run; ``reign`` is None until the first promotion."""

    reign: Reign | None
    workers: Mapping[str, Holding]

    @property
    def generation(self) -> int:
        """How many promotions there were."""
        return self.reign.generation if self.reign else 0

    @property
    def champion(self) -> ModelId | None:
        """The promoted model; without a promotion, what all workers serve; None if they differ."""
        if self.reign:
            return ModelId(self.reign.champion_name, self.reign.champion)
        served = {holding.champion for holding in self.workers.values()}
        return served.pop() if len(served) == 1 else None

    @property
    def previous(self) -> ModelId | None:
        """The champion before; None if there was none or nobody knew."""
        if self.reign is None or not self.reign.previous:
            return None
        return ModelId(self.reign.previous_name, self.reign.previous)

    @property
    def challengers(self) -> list[ModelId]:
        """The models that some worker compares with the champion."""
        found = {each.challenger for each in self.workers.values() if each.challenger}
        return sorted(found, key=lambda model: model.name)

    @property
    def known(self) -> list[ModelId]:
        """Every model that a worker holds or that was promoted last."""
        found = {each.champion for each in self.workers.values()} | set(self.challengers)
        found |= {each for each in (self.champion, self.previous) if each}
        return sorted(found, key=lambda model: (model.name, model.sha256))

    def lacking(self, model: ModelId) -> list[str]:
        """The workers that do not hold a model."""
        return sorted(name for name, each in self.workers.items() if not each.holds(model.sha256))

    def not_serving(self, model: ModelId) -> list[str]:
        """The workers whose next batch another model decides."""
        return sorted(
            name for name, each in self.workers.items() if each.champion.sha256 != model.sha256
        )


def read(client: Redis) -> Models:
    """Who is champion, and what the running workers hold, in one round trip.

    Raises:
        StoreError: Redis does not answer or refuses.
        BadModelRecordError: the champion's hash is damaged.
    """
    with store_errors(), client.pipeline(transaction=False) as pipe:
        pipe.hgetall(MODELS_KEY)
        pipe.hgetall(WORKERS_KEY)
        pipe.time()
        fields, said, (seconds, microseconds) = pipe.execute()
    oldest_ms = seconds * 1000 + microseconds // 1000 - HOLDING_TTL_MS
    found = {name: parse_holding(text) for name, text in sorted(said.items())}
    running = {name: each for name, each in found.items() if each and each.seen_at_ms >= oldest_ms}
    return Models(parse_reign(fields), running)


def promotions(client: Redis, *, from_ms: int = 0, to_ms: int | None = None) -> list[Promotion]:
    """The promotions of a time, the newest first.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors():
        entries: Any = client.xrevrange(
            HISTORY_KEY, "+" if to_ms is None else to_ms, from_ms, count=MAX_PROMOTIONS
        )
    found = (parse_promotion(entry_id, fields) for entry_id, fields in entries)
    return [each for each in found if each]


def pair_counts(
    client: Redis, champion: str, challenger: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Counts by cell of audit samples and of live crops; see :mod:`maskgate.protocol.models`.

    Raises:
        StoreError: Redis does not answer or refuses.
    """
    with store_errors(), client.pipeline(transaction=False) as pipe:
        pipe.hgetall(pairs_audit_key(champion, challenger))
        pipe.hgetall(pairs_live_key(champion, challenger))
        audit, live = pipe.execute()
    return _counts(audit), _counts(live)


def _counts(fields: Mapping[str, str]) -> dict[str, int]:
    return {cell: int(count) for cell, count in fields.items() if count.isdecimal()}
