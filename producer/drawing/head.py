"""Neck, hair, ears and the shape of a face."""

import cv2
import numpy as np

from producer.drawing.canvas import Canvas, FloatImage
from producer.drawing.looks import Head


def draw_neck(canvas: Canvas, head: Head) -> None:
    """The neck, down into the collar."""
    x, y, w, h = head.x, head.y, head.half_width, head.half_height
    sides = [(-0.55, 0.4), (0.55, 0.4), (0.6, 1.3), (-0.6, 1.3)]
    neck = canvas.polygon([(x + across * w, y + down * h) for across, down in sides], soft=1)
    canvas.blend(neck, head.looks.skin * 0.72)


def draw_head(canvas: Canvas, head: Head) -> None:
    """Hair, ears and a shaded face without features."""
    _back_hair(canvas, head)
    _ears(canvas, head)
    _face(canvas, head)
    _fringe(canvas, head)


def _back_hair(canvas: Canvas, head: Head) -> None:
    w, h = head.half_width, head.half_height
    length = h * head.looks.hair_length
    canvas.blend(
        canvas.ellipse(head.x, head.y - h * 0.18, w * 1.17, length, soft=1.2), head.looks.hair
    )


def _ears(canvas: Canvas, head: Head) -> None:
    w, h = head.half_width, head.half_height
    for side in (-1, 1):
        x = head.x + side * w * (1.0 - 0.1 * side * head.turn)
        canvas.blend(
            canvas.ellipse(x, head.y + 1, w * 0.13, h * 0.18, soft=0.8), head.looks.skin * 0.85
        )


def _face(canvas: Canvas, head: Head) -> None:
    """Skin, darker at the edges and below the cheeks, lighter on the forehead."""
    x, y, w, h, skin = head.x, head.y, head.half_width, head.half_height, head.looks.skin
    cover = _outline(canvas, head)
    canvas.blend(cover, skin)
    inner = canvas.ellipse(x + head.turn * w * 0.4, y, w * 0.72, h * 0.78, soft=9)
    canvas.blend(cover * (1 - inner), skin * 0.66, 0.75)
    forehead = canvas.ellipse(x + head.turn * w * 0.5, y - h * 0.5, w * 0.5, h * 0.18, soft=6)
    canvas.shade(forehead, np.minimum(skin * 1.15, 255), 0.6)


def _outline(canvas: Canvas, head: Head) -> FloatImage:
    x, y, w, h = head.x, head.y, head.half_width, head.half_height
    skull = canvas.ellipse(x, y - h * 0.12, w, h * 0.86)
    jaw = canvas.ellipse(x, y + h * 0.25, w * 0.84, h * 0.72)
    sigma = 0.8 * canvas.scale
    return np.asarray(cv2.GaussianBlur(np.maximum(skull, jaw), (0, 0), sigma), np.float32)


def _fringe(canvas: Canvas, head: Head) -> None:
    x, y, w, h = head.x, head.y, head.half_width, head.half_height
    low = y - h * head.looks.fringe
    points = [
        (x - w * 1.1, y - h * 1.1),
        (x + w * 1.1, y - h * 1.1),
        (x + w * 0.95, low + 6),
        (x + w * head.looks.parting, low),
        (x - w * 0.95, low + 6),
    ]
    hair = canvas.ellipse(x, y - h * 0.18, w * 1.17, h * 0.9, soft=1)
    canvas.blend(canvas.polygon(points, soft=1.5) * hair, head.looks.hair)
