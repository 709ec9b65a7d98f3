"""What passes between the parts of a camera: frames and the faces on them."""

from dataclasses import dataclass
from typing import Protocol

from maskgate.inference.image import Pixels

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A camera's picture: ``pixels`` are uint8 RGB (height, width, 3).

    ``captured_at_ms`` is milliseconds since the epoch.
    """

    pixels: Pixels
    captured_at_ms: int


@dataclass(frozen=True, slots=True)
class Face:
    """A face on a frame: its box from the forehead to the chin, in pixels of the frame.

    ``x`` and ``y`` are the upper left corner; a box may reach beyond the frame. The points are
    None if the detector does not find them.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    right_eye: Point | None = None
    left_eye: Point | None = None
    nose: Point | None = None

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2


class FaceDetector(Protocol):
    """Finds the faces of a picture. Not thread-safe."""

    def detect(self, pixels: Pixels) -> list[Face]:
        """All faces on an RGB picture, uint8 (height, width, 3), at any size."""


class FrameSource(Protocol):
    """Where frames come from. One thread owns it; it reconnects by itself."""

    def wait(self, timeout_s: float) -> bool:
        """Whether a frame can be taken, at once or within the timeout."""

    def newest(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not returned before; None if none came within the timeout."""

    @property
    def trouble(self) -> str:
        """Why there are no frames, without any credentials; empty while they come."""

    @property
    def ended(self) -> bool:
        """Whether a file has come to its end: no frame will follow."""

    def close(self) -> None:
        """Stop reading. Never raises."""
