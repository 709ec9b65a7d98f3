"""The challenger at work: it classifies crops whose verdicts are written and acknowledged.

A few at a time, when no crop waits, so that it delays the next verdict by one such piece at most.
Without time for them, live crops are passed over; audit samples never are.
"""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Metric

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode
from maskgate.inference.limits import crop_limits
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import ModelError, StoreError
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from worker.models.served import Batch
from worker.models.succession import Succession
from worker.native_stderr import MutedStderr
from worker.result import CropResult
from worker.store.pair_counts import Pairs
from worker.validate import ReadableCrop

#: Crops that are classified before the loop looks for new ones again.
PIECE = 4
#: Live crops that may wait, and audit samples. Each may have 256 KiB.
MOST_WAITING = 64
_RETRY_S = 1.0


class Compared(msgspec.Struct, frozen=True, gc=False):
    """A crop that both models classified."""

    crop: ReadableCrop
    #: The name of the champion, and what it said.
    model: str
    champion: CropResult
    #: What the challenger said, and its probability of a mask.
    challenger: Outcome
    p_mask: float

    @property
    def differs(self) -> bool:
        """Whether the two outcomes do."""
        return self.champion.outcome is not self.challenger


class PairStore(Protocol):
    """Where paired outcomes are counted."""

    def count_pairs(self, champion: str, challenger: str, pairs: Pairs) -> None:
        """Count paired outcomes of two models, by their names.

        Raises:
            StoreError: no answer. It is safe to count audit samples again.
        """


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    champion: Model
    challenger: Model
    crop: ReadableCrop
    result: CropResult


class Shadow:
    """See :class:`worker.models.served.ServedModels`.

    ``share`` is that of live batches that both models classify. ``tell`` is called with all crops
    that were compared, live ones and audit samples.
    """

    def __init__(
        self,
        succession: Succession,
        store: PairStore,
        *,
        share: float,
        registry: CollectorRegistry | None = None,
        tell: Callable[[Sequence[Compared]], object] = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._succession, self._store, self._share = succession, store, share
        self._tell, self._chance = tell, chance
        self._waiting: dict[QueueKind, deque[_Waiting]] = {kind: deque() for kind in QueueKind}
        self._not_before_s = 0.0
        self._muted = MutedStderr()
        registry = registry or CollectorRegistry()
        self._compared = Metric(
            "maskgate_challenger_crops",
            "Crops that both models classified",
            ["queue", "agreed"],
            registry=registry,
        )
        self._passed_over = Metric(
            "maskgate_challenger_passed_over",
            "Crops that were to be compared when there was no time",
            ["queue"],
            registry=registry,
        )

    @property
    def champion(self) -> Model:
        """See :class:`worker.models.served.ServedModels`."""
        return self._succession.champion

    @property
    def is_settled(self) -> bool:
        """See :class:`worker.models.served.ServedModels`."""
        return self._succession.is_settled

    @property
    def has_work(self) -> bool:
        """See :class:`worker.models.served.ServedModels`."""
        return any(self._waiting.values()) and time.monotonic() >= self._not_before_s

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> Batch:
        """See :class:`worker.models.served.ServedModels`."""
        champion, challenger = self._succession.champion, self._succession.challenger
        if challenger is None:
            return crops, results
        with_live = self._chance() < self._share
        left = [
            (crop, result)
            for crop, result in zip(crops, results, strict=True)
            if not (with_live or result.queue is QueueKind.AUDIT)
            or not self._add(_Waiting(champion, challenger, crop, result))
        ]
        return [crop for crop, _ in left], [result for _, result in left]

    def work(self) -> None:
        """See :class:`worker.models.served.ServedModels`."""
        queue = self._waiting[QueueKind.AUDIT] or self._waiting[QueueKind.LIVE]
        piece = _piece(queue)
        if not piece:
            return
        champion, challenger = piece[0].champion, piece[0].challenger
        try:
            with self._muted:
                compared = _compare(piece, challenger)
            self._store.count_pairs(champion.card.name, challenger.card.name, _pairs(compared))
        except ModelError as error:
            self._give_up(error)
        except StoreError:
            self._not_before_s = time.monotonic() + _RETRY_S
        else:
            for _ in piece:
                queue.popleft()
            self._count(compared)

    def finish(self) -> None:
        """See :class:`worker.models.served.ServedModels`. Gives up at the first failure."""
        while self.has_work:
            self.work()

    def _add(self, waiting: _Waiting) -> bool:
        """Let a crop wait; False if there is no room."""
        kind = waiting.result.queue
        queue = self._waiting[kind]
        if len(queue) >= MOST_WAITING and kind is QueueKind.AUDIT and self.has_work:
            self.work()
        if len(queue) >= MOST_WAITING:
            self._passed_over.labels(kind.value).inc()
            return False
        queue.append(waiting)
        return True

    def _give_up(self, error: ModelError) -> None:
        self._succession.refuse(error)
        for queue in self._waiting.values():
            queue.clear()

    def _count(self, compared: Sequence[Compared]) -> None:
        agreed = Counter((each.champion.queue, not each.differs) for each in compared)
        for (queue, same), count in agreed.items():
            self._compared.labels(queue.value, str(same).lower()).inc(count)
        self._tell(compared)


def _piece(queue: deque[_Waiting]) -> list[_Waiting]:
    """The first few, of the same two models: there may have been a promotion between."""
    return [
        each
        for each in islice(queue, PIECE)
        if each.champion is queue[0].champion and each.challenger is queue[0].challenger
    ]


def _compare(piece: Sequence[_Waiting], challenger: Model) -> list[Compared]:
    champion = piece[0].champion.card
    images = [_image(each.crop, champion.input, challenger.card.input) for each in piece]
    p_masks = challenger.p_mask(images).tolist()
    return [
        Compared(
            each.crop,
            champion.name,
            each.result,
            Outcome(challenger.card.outcome(p_mask)),
            p_mask,
        )
        for each, p_mask in zip(piece, p_masks, strict=True)
    ]


def _image(readable: ReadableCrop, champion: InputShape, challenger: InputShape) -> Pixels:
    """Each model looks at the decoded picture: reduced twice, it would be another one."""
    if champion == challenger:
        return readable.image
    crop = readable.crop
    return reduce(decode(crop.body, crop.content_type, crop_limits(champion)), challenger)


def _pairs(compared: Sequence[Compared]) -> Pairs:
    samples, live = [], Counter[str]()
    for each in compared:
        outcomes = f"{each.champion.outcome.value}.{each.challenger.value}"
        if each.champion.queue is QueueKind.AUDIT:
            samples.append((each.crop.crop.crop_id, f"{each.crop.crop.label}.{outcomes}"))
        else:
            live[f"{each.crop.crop.camera_id}.{outcomes}"] += 1
    return Pairs(samples, live)
