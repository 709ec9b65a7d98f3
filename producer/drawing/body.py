"""Shoulders, arms and coat of a person, as far down as the canvas reaches."""

import numpy as np

from producer.drawing.canvas import Canvas, FloatImage
from producer.drawing.looks import Head

#: Half of the body: share of the head's half width from its middle, share of half height down.
_SIDE = (
    (0.5, 0.86),
    (0.8, 1.12),
    (1.35, 1.3),
    (1.72, 1.48),
    (1.92, 1.8),
    (2.0, 2.4),
    (2.02, 3.2),
    (2.0, 9.0),
)
_ARM = ((1.3, 2.1), (1.42, 2.8), (1.4, 9.0))  # the line between arm and chest


def draw_body(canvas: Canvas, head: Head) -> None:
    """A coat with collar and buttons. Its lowest row may be repeated to make it longer."""
    shirt = head.looks.shirt
    cover = canvas.polygon([*_points(head, _SIDE, -1), *reversed(_points(head, _SIDE, 1))], soft=1)
    canvas.blend(cover, shirt)
    _folds(canvas, head, cover)
    _collar(canvas, head)


def _folds(canvas: Canvas, head: Head, cover: FloatImage) -> None:
    """Darker at the sides and beside the arms; a line of buttons down the middle."""
    x, y, w, h, shirt = head.x, head.y, head.half_width, head.half_height, head.looks.shirt
    light = canvas.ellipse(x - w * 0.25, y + h * 2.4, w * 1.35, h * 1.6, soft=12)
    canvas.blend(cover * (1 - light), shirt * 0.62, 0.7)
    for side in (-1, 1):
        canvas.shade(canvas.line(_points(head, _ARM, side), 2, soft=1.2), shirt * 0.45, 0.7)
    middle = [(x, y + h * 1.5), (x, y + h * 9)]
    canvas.shade(canvas.line(middle, 1, soft=0.6), shirt * 0.5, 0.8)


def _collar(canvas: Canvas, head: Head) -> None:
    x, y, w, h, shirt = head.x, head.y, head.half_width, head.half_height, head.looks.shirt
    neck = [(x - w * 0.5, y + h * 0.8), (x + w * 0.5, y + h * 0.8), (x, y + h * 1.55)]
    canvas.shade(canvas.polygon(neck, soft=0.8), head.looks.skin * 0.68)
    for side in (-1, 1):
        flap = [(0.48, 0.82), (0.82, 1.1), (0.35, 1.62), (0.02, 1.52)]
        points = _points(head, flap, side)
        canvas.shade(canvas.polygon(points, soft=1.5), shirt * 0.4, 0.5)
        canvas.blend(canvas.polygon(points, soft=0.6), np.minimum(shirt * 1.12 + 6, 255))


def _points(
    head: Head, shares: tuple[tuple[float, float], ...] | list[tuple[float, float]], side: int
) -> list[tuple[float, float]]:
    return [
        (head.x + side * across * head.half_width, head.y + down * head.half_height)
        for across, down in shares
    ]
