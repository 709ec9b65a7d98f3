"""What is expected without labels: the place where estimates come onto the page.

``maskgate.estimates`` computes them; the composition root passes a function of this shape.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Expected:
    """A measure without labels; ``value`` is None if there is nothing to estimate it from."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Expectations:
    """By measure (``coverage``, ``accuracy``, ``precision``, ``recall``), and from how much."""

    crops: int
    measures: Mapping[str, Expected]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of all cameras together and of each one. ``alarms`` are lines for people."""

    all_cameras: Expectations | None = None
    cameras: Mapping[str, Expectations] = field(default_factory=dict)
    alarms: Sequence[str] = ()


#: Of the model with this name. Raises StoreError if Redis does not answer.
ReadEstimates = Callable[[str], Estimates]


def nothing(_: str) -> Estimates:
    """Where nothing is estimated."""
    return Estimates()
