"""What is the matter with a camera, and since when."""

from dataclasses import dataclass

from maskgate.protocol.camera_state import CameraCondition

__all__ = ["CameraCondition", "ToldCondition"]


@dataclass(frozen=True, slots=True)
class ToldCondition:
    """The condition, and the moment on the caller's clock, in seconds, from which it was told.

    The same object is returned until the condition changes.
    """

    condition: CameraCondition
    since_s: float
