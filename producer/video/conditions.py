"""What is the matter with a camera, and since when."""

from dataclasses import dataclass
from enum import StrEnum


class CameraCondition(StrEnum):
    """A camera's condition; everything but ``UP`` means that no face can be expected from it."""

    UP = "up"
    NO_SIGNAL = "no_signal"
    STALLED = "stalled"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    COVERED = "covered"
    FROZEN = "frozen"
    OUT_OF_FOCUS = "out_of_focus"


@dataclass(frozen=True, slots=True)
class CameraState:
    """The condition, and the moment on the caller's clock, in seconds, from which it was told.

    The same object is returned until the condition changes.
    """

    condition: CameraCondition
    since_s: float
