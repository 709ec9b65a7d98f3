"""What is expected without labels: the place where estimates come onto the page.

``maskgate.estimates`` computes them; the composition root passes a function of this shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from maskgate.estimates.performance import Estimate


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of all cameras together and of each one. ``alarms`` are lines for people, by camera."""

    all_cameras: Estimate | None = None
    cameras: Mapping[str, Estimate] = field(default_factory=dict)
    alarms: Mapping[str, str] = field(default_factory=dict)


#: Of the model with this name. Raises StoreError if Redis does not answer.
ReadEstimates = Callable[[str], Estimates]


def nothing(_: str) -> Estimates:
    """Where nothing is estimated."""
    return Estimates()
