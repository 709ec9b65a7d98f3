"""What a running training reports."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The state of a training; the validation values are there after each twentieth of it."""

    samples: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


OnProgress = Callable[[TrainingProgress], None]
