"""What the worker's loop needs of its models."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from worker.infer import MaskModel
from worker.result import CropResult
from worker.validate import ReadableCrop

#: Crops of a batch and, in the same order, their results.
Batch: TypeAlias = tuple[Sequence[ReadableCrop], Sequence[CropResult]]


class ServedModels(Protocol):
    """Asked between two batches: a batch is decided by one model."""

    @property
    def champion(self) -> MaskModel:
        """The model of the next batch."""

    @property
    def is_settled(self) -> bool:
        """Whether it is known who is champion. Before, no crop may be taken."""

    @property
    def has_work(self) -> bool:
        """Whether crops wait for the challenger."""

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> Batch:
        """Offer a batch that is written and acknowledged; returns what no challenger will see."""

    def work(self) -> None:
        """Let the challenger classify a few of the crops that wait."""

    def finish(self) -> None:
        """Let it classify the rest: the worker stops."""


class OneModel:
    """A model without challenger, which nobody can replace."""

    is_settled = True
    has_work = False

    def __init__(self, model: MaskModel) -> None:
        self.champion = model

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> Batch:
        """See :class:`ServedModels`."""
        return crops, results

    def work(self) -> None:
        """See :class:`ServedModels`."""

    def finish(self) -> None:
        """See :class:`ServedModels`."""
