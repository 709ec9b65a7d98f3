"""What the worker's loop needs of its models."""

from collections.abc import Sequence
from typing import Protocol

from worker.infer import MaskModel
from worker.result import CropResult
from worker.validate import ReadableCrop


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

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> None:
        """Offer a batch that is written and acknowledged; results in the order of the crops."""

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

    def decided(self, crops: Sequence[ReadableCrop], results: Sequence[CropResult]) -> None:
        """See :class:`ServedModels`."""

    def work(self) -> None:
        """See :class:`ServedModels`."""

    def finish(self) -> None:
        """See :class:`ServedModels`."""
