"""A drawn person who looks the same in every picture, in changing poses."""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.drawing.body import draw_body
from producer.drawing.canvas import Canvas, FloatImage
from producer.drawing.features import draw_features
from producer.drawing.hand import draw_hand
from producer.drawing.head import draw_head, draw_neck
from producer.drawing.looks import Head, Looks
from producer.drawing.profile import draw_profile, draw_profile_glasses, draw_profile_mask
from producer.drawing.worn import draw_cap, draw_glasses, draw_mask

#: Pixels a unit: a face is then about 200 px wide, the largest that a scene shows is 300.
SCALE = 3.0
#: The drawing around the middle of the head, in units: left, top, right, bottom.
EXTENT = (-82.0, -74.0, 82.0, 136.0)
_HEAD_EXTENT = (-56.0, -74.0, 56.0, 74.0)
_TURN_STEP, _HAND_STEP = 0.05, 0.2
_TURNED = 0.5  # the largest turn of the frontal drawing
_PROFILE = 0.75  # from here a head is drawn from the side
_HAND_BELOW = 2.6  # where a hand that comes or goes starts, in half heights under the mouth
_POSES = 16  # that a person remembers; 2 MB each
_LEVELS = 4


class Worn(Enum):
    """How a mask is worn."""

    OFF = "off"
    CHIN = "chin"
    UNDER_NOSE = "under the nose"
    ON = "on"


_LOWERED = {Worn.CHIN: 1.0, Worn.UNDER_NOSE: 0.4, Worn.ON: 0.0}


@dataclass(frozen=True, slots=True)
class Pose:
    """The mask, the turn (-1 to 1, 0 looks at the camera) and the hand (1 is over the mouth)."""

    worn: Worn = Worn.OFF
    turn: float = 0.0
    hand: float = 0.0

    @property
    def is_profile(self) -> bool:
        """Whether the head is drawn from the side."""
        return abs(self.rounded().turn) > _TURNED

    def rounded(self) -> "Pose":
        """The nearest pose that is drawn: only so many differ."""
        turn = round(self.turn / _TURN_STEP) * _TURN_STEP
        if abs(turn) >= _PROFILE:
            turn = float(np.sign(turn))
        turn = turn if abs(turn) == 1 else float(np.clip(turn, -_TURNED, _TURNED))
        return Pose(self.worn, round(turn, 3), round(round(self.hand / _HAND_STEP) * _HAND_STEP, 3))


class Person:
    """Somebody with fixed looks. Remembers the last poses that were drawn."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.looks = Looks.random(np.random.default_rng(seed))
        self._body: FloatImage | None = None
        self._drawn: OrderedDict[Pose, tuple[Pixels, ...]] = OrderedDict()

    def pictures(self, pose: Pose) -> tuple[Pixels, ...]:
        """The person in the nearest pose that is drawn, at ``SCALE`` and 1/2, 1/4, 1/8 of it.

        Each is uint8 (height, width, 4), RGB multiplied by its opacity and the opacity.
        """
        pose = pose.rounded()
        if pose not in self._drawn:
            self._drawn[pose] = _levels(self._draw(pose))
            if len(self._drawn) > _POSES:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(pose)
        return self._drawn[pose]

    def _draw(self, pose: Pose) -> FloatImage:
        canvas = Canvas.empty(*EXTENT, SCALE)
        head = Head(self.looks, 0.0, 0.0, pose.turn)
        if self._body is None:
            draw_neck(canvas, head)
            draw_body(canvas, head)
            self._body = canvas.pixels.copy()
        canvas.pixels[:] = self._body
        _draw_head(canvas.part(*_HEAD_EXTENT), head, pose.worn)
        if pose.hand:
            draw_hand(canvas, head, below=_HAND_BELOW * (1 - pose.hand))
        return canvas.pixels


def _draw_head(canvas: Canvas, head: Head, worn: Worn) -> None:
    profile = abs(head.turn) > _TURNED
    if profile:
        draw_profile(canvas, head)
    else:
        draw_head(canvas, head)
        draw_features(canvas, head)
    if worn is not Worn.OFF:
        (draw_profile_mask if profile else draw_mask)(canvas, head, lowered=_LOWERED[worn])
    (draw_profile_glasses if profile else draw_glasses)(canvas, head)
    draw_cap(canvas, head)


def _levels(layer: FloatImage) -> tuple[Pixels, ...]:
    """The layer as uint8, and halved again and again: for small people without aliasing."""
    layer[..., 3] *= 255
    levels = [np.asarray(np.clip(np.round(layer), 0, 255), np.uint8)]
    for _ in range(_LEVELS - 1):
        halved = cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(halved, np.uint8))
    return tuple(levels)
