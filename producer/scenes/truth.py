"""What is true of a frame, and what a film is."""

from dataclasses import dataclass
from typing import Protocol

from maskgate.inference.image import Pixels
from producer.scenes.person import Worn

_FRONTAL, _WHOLE, _HAND_FREE = 0.35, 0.8, 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """The truth about one person in a frame. The box goes from the hairline to the chin, in pixels.

    ``visible`` is the share of the box that is inside the frame and not behind somebody. ``turn``
    is 0 for a face that looks at the camera, from 0.75 on a profile; ``hand`` is 1 over the mouth.
    """

    person: int
    x: float
    y: float
    width: float
    height: float
    worn: Worn
    turn: float
    hand: float
    visible: float

    @property
    def masked(self) -> bool:
        """Whether a mask covers mouth and nose."""
        return self.worn is Worn.ON

    @property
    def changing(self) -> bool:
        """Whether a mask is worn wrong, as it is while it is put on or taken off."""
        return self.worn in {Worn.CHIN, Worn.UNDER_NOSE}

    @property
    def hidden(self) -> bool:
        """Whether a hand, somebody else or the frame's edge hides a part of the face."""
        return self.hand >= _HAND_FREE or self.visible < _WHOLE

    @property
    def plain(self) -> bool:
        """Whether the face can be judged: nothing hides it, it is not turned, nothing changes."""
        return not (self.hidden or self.changing or abs(self.turn) > _FRONTAL)


class Film(Protocol):
    """Anything that has a picture and a truth for each time."""

    @property
    def duration_s(self) -> float:
        """Seconds until it ends; infinite if it does not."""

    def frame(self, t_s: float) -> Pixels:
        """The picture, uint8 RGB (480, 640, 3)."""

    def truth(self, t_s: float) -> list[Seen]:
        """Everybody whose face is at least partly inside the picture."""
