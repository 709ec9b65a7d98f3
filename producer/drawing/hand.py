"""A hand over the mouth: forearm, back of the hand, four fingers and a thumb."""

import numpy as np
import numpy.typing as npt

from producer.drawing.canvas import Canvas
from producer.drawing.looks import Head

_FINGERS = (1.0, 1.15, 1.1, 0.88)  # lengths, shares of the head's half width
_SPREAD, _FINGER_WIDTH = 0.24, 0.23
_ALONG = np.asarray((-0.94, -0.34))  # the direction in which the fingers point
_ACROSS = np.asarray((-0.34, 0.94))


def draw_hand(canvas: Canvas, head: Head, *, below: float = 0.0) -> None:
    """The hand over the mouth, or ``below`` half heights of the head under it."""
    w, h, skin = head.half_width, head.half_height, head.looks.skin * 0.93
    x, y = head.feature_x(0) + w * 0.46, head.y + h * (0.6 + below)
    _forearm(canvas, head, x, y)
    canvas.shade(canvas.ellipse(x, y, w * 0.68, w * 0.6, angle=20, soft=3), skin * 0.5, 0.6)
    canvas.blend(canvas.ellipse(x, y, w * 0.54, w * 0.48, angle=20, soft=0.8), skin)
    _finger(canvas, head, [(x - w * 0.05, y - w * 0.25), (x - w * 0.28, y - w * 0.62)])
    for number, length in enumerate(_FINGERS):
        root = np.asarray((x, y)) + _ACROSS * w * _SPREAD * (number - 1.5)
        _finger(canvas, head, [root, root + _ALONG * w * length])
    canvas.blend(canvas.ellipse(x, y, w * 0.44, w * 0.38, angle=20, soft=2.5), skin)


def _finger(canvas: Canvas, head: Head, points: npt.ArrayLike) -> None:
    w, skin = head.half_width, head.looks.skin
    canvas.blend(canvas.line(points, w * _FINGER_WIDTH + 1.6, soft=0.5), skin * 0.55)
    canvas.blend(canvas.line(points, w * _FINGER_WIDTH, soft=0.5), skin * 0.95)
    higher = np.asarray(points) - (0.0, w * 0.03)
    canvas.blend(canvas.line(higher, w * 0.07, soft=0.9), np.minimum(skin * 1.1, 255), 0.6)


def _forearm(canvas: Canvas, head: Head, x: float, y: float) -> None:
    w, h, shirt = head.half_width, head.half_height, head.looks.shirt
    wrist, cuff = (x + w * 0.3, y + h * 0.3), (x + w * 0.42, y + h * 0.42)
    elbow = (x + w * 1.25, y + h * 2.2)
    canvas.blend(canvas.line([(x, y), wrist], w * 0.5, soft=0.8), head.looks.skin * 0.8)
    for width, colour in ((0.86, shirt * 0.4), (0.78, shirt * 0.85)):
        canvas.blend(canvas.line([cuff, elbow], w * width, soft=1), colour)
