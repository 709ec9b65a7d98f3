"""What the page of models shows, read from Redis."""

from dataclasses import dataclass

from redis import Redis

from maskgate.models.paired import Comparison, Disagreement, compare, disagreements
from maskgate.models.records import Models, pair_counts, promotions, read
from maskgate.protocol.models import Holding, ModelId, Promotion

_PROMOTIONS = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models compared: ``champion`` decided, ``challenger`` was classified beside it."""

    champion: ModelId
    challenger: ModelId
    comparison: Comparison
    cameras: list[Disagreement]

    @property
    def crops(self) -> int:
        """Live crops that both classified."""
        return sum(each.n for each in self.cameras)

    @property
    def differ(self) -> int:
        """Those of them with different outcomes."""
        return sum(each.differ for each in self.cameras)


@dataclass(frozen=True, slots=True)
class Row:
    """A worker and what it holds; ``follows``: it serves the champion."""

    name: str
    holding: Holding
    follows: bool


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """One reading. ``offered`` are the models that may be promoted, each with who lacks it."""

    models: Models
    workers: list[Row]
    pairs: list[Pair]
    offered: list[tuple[ModelId, list[str]]]
    promotions: list[Promotion]

    @property
    def is_unexplained(self) -> bool:
        """Whether somebody changed the champion past the function that promotes.

        A worker may write the hash, because it restores it; it may not write the history.
        """
        reign = self.models.reign
        if reign is None or reign.restored_by:
            return False
        return not self.promotions or self.promotions[0].generation != reign.generation


def read_page(client: Redis) -> ModelsPage:
    """Read everything that the page shows.

    Raises:
        StoreError: Redis does not answer or refuses.
        BadModelRecordError: the champion's hash is damaged.
    """
    models = read(client)
    champion = models.champion
    others = [each for each in models.known if champion is None or each.sha256 != champion.sha256]
    return ModelsPage(
        models,
        workers=[
            Row(name, holding, champion is not None and holding.champion == champion)
            for name, holding in models.workers.items()
        ],
        pairs=_pairs(client, champion, others) if champion else [],
        offered=[(each, models.lacking(each)) for each in others],
        promotions=promotions(client)[:_PROMOTIONS],
    )


def _pairs(client: Redis, champion: ModelId, others: list[ModelId]) -> list[Pair]:
    """Both ways, because a promotion changes the roles; without those that nobody compared."""
    found = []
    for other in others:
        for one, two in ((champion, other), (other, champion)):
            audit, live = pair_counts(client, one.name, two.name)
            if audit or live or two == other:
                found.append(Pair(one, two, compare(audit), disagreements(live)))
    return found
