"""Who decides: follows the promotions in Redis, and says there which models this worker holds.

Both happen in one call a second, with the heartbeat (``models.lua``). Redis keeps nothing on disk:
if it lost the champion, a worker's call restores it.
"""

from collections.abc import Callable, Sequence

import structlog
from msgspec import msgpack, to_builtins
from prometheus_client import CollectorRegistry, Gauge

from maskgate.inference.model import Model
from maskgate.protocol.models import (
    HOLDING_TTL_MS,
    BadModelRecordError,
    Holding,
    ModelId,
    Reign,
    parse_reign,
)

log = structlog.get_logger()


class Succession:
    """The models that a worker holds, by rank. ``changed`` is called with each new champion's name.

    ``refused`` says why the worker does not hold the challenger that it was configured with.
    """

    def __init__(
        self,
        worker: str,
        champion: Model,
        challenger: Model | None = None,
        *,
        share: float = 0.0,
        refused: str = "",
        registry: CollectorRegistry | None = None,
    ) -> None:
        self.champion, self.challenger = champion, challenger
        #: Without a challenger there is no choice, and a worker need not wait for Redis.
        self.is_settled = challenger is None
        self.changed: list[Callable[[str], object]] = []
        self._worker, self._share, self._refused = worker, share, refused
        self._known: Reign | None = None
        self._fields: list[str] = []
        self._failure = ""
        self._gauges = _Gauges(registry or CollectorRegistry())
        self._gauges.show(self, missing=False)

    @property
    def holding(self) -> Holding:
        """What the worker says of itself."""
        return Holding(
            champion=_id(self.champion),
            challenger=_id(self.challenger) if self.challenger else None,
            share=self._share if self.challenger else 0.0,
            refused=self._refused,
            generation=self.generation,
        )

    @property
    def generation(self) -> int:
        """The newest promotion that it knows."""
        return self._known.generation if self._known else 0

    def argument(self) -> bytes:
        """The argument of ``models.lua``."""
        said: dict[str, object] = {
            "worker": self._worker,
            "holds": to_builtins(self.holding),
            "ttl_ms": HOLDING_TTL_MS,
        }
        if self._known:
            said["known"] = {
                "generation": self._known.generation,
                "changed_at": self._known.changed_at_ms,
                "fields": self._fields,
            }
        return msgpack.encode(said)

    def learn(self, fields: Sequence[str]) -> None:
        """The answer of ``models.lua``: the champion's hash, flat. Between two batches."""
        self.is_settled = True
        try:
            reign = parse_reign(dict(zip(fields[::2], fields[1::2], strict=True)))
        except (BadModelRecordError, ValueError) as error:
            self.failed(error)
            return
        self._failure = ""
        if reign is not None and reign != self._known:
            self._known, self._fields = reign, list(fields)
            self._follow(reign)

    def failed(self, error: Exception) -> None:
        """Redis answers, but not to this call: the worker goes on with the champion it has."""
        self.is_settled = True
        if str(error) != self._failure:
            self._failure = str(error)
            log.error("models.not_followed", error=self._failure)

    def refuse(self, error: Exception) -> None:
        """Give up the challenger: it failed at work."""
        if self.challenger is not None:
            self._refused = str(error)
            log.error("challenger.refused", model=self.challenger.card.name, error=self._refused)
            self.challenger = None
            self._gauges.show(self, missing=False)

    def _follow(self, reign: Reign) -> None:
        """Change ranks if the promoted model is the challenger."""
        before, other = self.champion, self.challenger
        missing = reign.champion not in {each.sha256 for each in (before, other) if each}
        if missing:
            log.error(
                "models.promoted_not_held",
                promoted=reign.champion_name,
                promoted_sha256=reign.champion,
                generation=reign.generation,
                serves=before.card.name,
            )
        elif other is not None and reign.champion == other.sha256:
            self.champion, self.challenger = other, before
            log.info(
                "models.champion_changed",
                model=other.card.name,
                model_sha256=other.sha256,
                before=before.card.name,
                generation=reign.generation,
            )
            for call in self.changed:
                call(other.card.name)
        self._gauges.show(self, missing=missing)


class _Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._serving = Gauge(
            "maskgate_model_serving",
            "1: the model that decides",
            ["model", "sha256"],
            registry=registry,
        )
        self._generation = Gauge(
            "maskgate_model_generation", "Promotions known to this worker", registry=registry
        )
        self._missing = Gauge(
            "maskgate_promoted_model_missing",
            "1: the promoted model is not held by this worker, which serves another one",
            registry=registry,
        )
        self._held = Gauge(
            "maskgate_challenger_held", "1: a challenger is compared", registry=registry
        )
        self._refused = Gauge(
            "maskgate_challenger_refused",
            "1: the configured challenger was refused; the log says why",
            registry=registry,
        )

    def show(self, succession: Succession, *, missing: bool) -> None:
        holding = succession.holding
        self._serving.clear()
        self._serving.labels(holding.champion.name, holding.champion.sha256).set(1)
        self._generation.set(holding.generation)
        self._missing.set(missing)
        self._held.set(holding.challenger is not None)
        self._refused.set(bool(holding.refused))


def _id(model: Model) -> ModelId:
    return ModelId(model.card.name, model.sha256)
