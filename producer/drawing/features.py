"""Eyes, nose, mouth and beard of a face that looks more or less at the camera."""

import numpy as np

from producer.drawing.canvas import Canvas
from producer.drawing.looks import Head

EYE_WHITE, IRIS, TEETH = (228, 222, 216), (45, 32, 25), (235, 228, 220)
LIPS = np.asarray((0.82, 0.5, 0.5))  # of the skin's colour


def draw_features(canvas: Canvas, head: Head) -> None:
    """All that a bare face shows; a beard too, if the person has one."""
    for side in (-1, 1):
        _eye(canvas, head, side)
    _nose(canvas, head)
    _mouth(canvas, head)
    if head.looks.beard is not None:
        _beard(canvas, head, head.looks.beard)


def _eye(canvas: Canvas, head: Head, side: int) -> None:
    w, h, skin = head.half_width, head.half_height, head.looks.skin
    x, y = head.feature_x(side * 0.4), head.y - h * 0.12
    opening = h * head.looks.eye_opening
    canvas.shade(canvas.ellipse(x, y - h * 0.02, w * 0.26, h * 0.12, soft=3), skin * 0.55, 0.7)
    canvas.blend(canvas.ellipse(x, y, w * 0.18, opening, soft=0.6), EYE_WHITE)
    canvas.blend(canvas.ellipse(x, y, w * 0.085, opening, soft=0.5), IRIS)
    lid = [
        (x - w * 0.2, y),
        (x - w * 0.08, y - opening),
        (x + w * 0.08, y - opening),
        (x + w * 0.2, y),
    ]
    canvas.shade(canvas.line(lid, 2, soft=0.6), skin * 0.25, 0.8)
    brow = y - h * head.looks.brows[side > 0]
    arch = [(x - w * 0.25, brow + 1), (x, brow - 1.5), (x + w * 0.25, brow + 1)]
    canvas.shade(canvas.line(arch, 3, soft=0.9), head.looks.hair * 0.8, 0.8)


def _nose(canvas: Canvas, head: Head) -> None:
    x, w, h = head.feature_x(head.turn * 0.2), head.half_width, head.half_height
    tip, skin = head.y + h * 0.2, head.looks.skin
    dark_side = w if head.turn <= 0 else -w
    shadow = [(x + dark_side * 0.1, head.y - h * 0.12), (x + dark_side * 0.13, tip - 3)]
    canvas.blend(canvas.line(shadow, 3, soft=2), skin * 0.6, 0.7)
    ridge = [(x, head.y - h * 0.1), (x, tip - 4)]
    canvas.blend(canvas.line(ridge, 3, soft=1.8), np.minimum(skin * 1.2, 255), 0.7)
    canvas.blend(canvas.ellipse(x, tip + 1, w * 0.24, h * 0.055, soft=1.6), skin * 0.5, 0.7)
    for side in (-1, 1):
        nostril = canvas.ellipse(x + side * w * 0.1, tip, w * 0.055, h * 0.025, soft=0.6)
        canvas.blend(nostril, skin * 0.22, 0.9)


def _mouth(canvas: Canvas, head: Head) -> None:
    w, h, skin = head.half_width, head.half_height, head.looks.skin
    x, y = head.feature_x(0), head.y + h * 0.5
    wide, lips = w * head.looks.mouth_width, skin * LIPS
    canvas.blend(canvas.ellipse(x, y + h * 0.13, w * 0.25, h * 0.05, soft=2.5), skin * 0.6, 0.6)
    canvas.blend(canvas.ellipse(x, y, wide, h * 0.062, soft=0.9), lips, 0.9)
    if head.looks.smiling:
        canvas.blend(canvas.ellipse(x, y, wide * 0.8, h * 0.035, soft=0.6), TEETH)
    else:
        between = [(x - wide, y), (x, y + 0.8), (x + wide, y)]
        canvas.blend(canvas.line(between, 2, soft=0.7), lips * 0.4, 0.9)


def _beard(canvas: Canvas, head: Head, strength: float) -> None:
    x, y, w, h = head.feature_x(0), head.y, head.half_width, head.half_height
    chin = canvas.ellipse(x, y + h * 0.5, w * 0.75, h * 0.46, soft=2.5)
    chin = chin * (1 - canvas.ellipse(x, y + h * 0.15, w * 0.62, h * 0.3, soft=2.5))
    chin = chin * (1 - canvas.ellipse(x, y + h * 0.5, w * 0.36, h * 0.07, soft=1))
    rng = np.random.default_rng(head.looks.beard_seed)
    texture = 1 + rng.normal(0, 0.18, chin.shape).astype(np.float32)
    canvas.shade(np.clip(chin * texture, 0, 1), head.looks.hair, strength)
