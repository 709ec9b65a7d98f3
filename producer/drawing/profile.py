"""A head that looks to the side: one eye, the line of forehead, nose, lips and chin."""

from collections.abc import Callable

import numpy as np

from producer.drawing.canvas import Canvas
from producer.drawing.features import EYE_WHITE, IRIS, LIPS
from producer.drawing.looks import Head

Shares = tuple[tuple[float, float], ...]
#: Shares of half width and half height from the head's centre; the face looks to the right.
_FACE: Shares = (
    (0.6, -0.8), (0.8, -0.6), (0.87, -0.3), (0.8, -0.13), (0.95, 0.04), (1.1, 0.17),
    (1.04, 0.24), (0.85, 0.26), (0.92, 0.38), (0.84, 0.46), (0.91, 0.54), (0.8, 0.64),
    (0.86, 0.82), (0.72, 0.95), (0.5, 0.95), (0.0, 0.72), (-0.25, 0.3), (-0.3, -0.7),
)  # fmt: skip
_HAIRLINE: Shares = (
    (0.78, -0.66), (0.3, -0.5), (0.08, -0.3), (0.02, 0.02), (-0.28, 0.12), (-0.35, 0.5),
    (-1.6, 0.5), (-1.6, -1.3), (0.9, -1.3),
)  # fmt: skip
_BEARD: Shares = (
    (0.84, 0.62), (0.9, 0.84), (0.72, 1.0), (0.45, 1.0), (0.0, 0.76), (-0.1, 0.1), (0.08, 0.1),
    (0.3, 0.5), (0.6, 0.5),
)  # fmt: skip
_MASK: Shares = (
    (0.92, -0.02), (1.14, 0.14), (1.2, 0.3), (1.1, 0.62), (0.9, 0.95), (0.55, 0.97),
    (0.3, 0.66), (0.24, 0.22), (0.6, 0.06),
)  # fmt: skip
_EAR = (-0.12, 0.02)


def draw_profile(canvas: Canvas, head: Head) -> None:
    """The bare head, without anything worn on it. The sign of its turn says where it looks."""
    at, w, h, looks = _placed(head), head.half_width, head.half_height, head.looks
    back = canvas.ellipse(*at(-0.2, -0.22), w * 1.12, h * 0.9, soft=1.2)
    canvas.blend(back, looks.hair)
    if looks.hair_length > 1:
        long = canvas.ellipse(*at(-0.55, 0.2), w * 0.7, h * looks.hair_length * 0.8, soft=1.2)
        canvas.blend(long, looks.hair)
    face = canvas.polygon(_points(head, _FACE), soft=1.2)
    canvas.blend(face, looks.skin)
    inner = canvas.ellipse(*at(0.5, 0.05), w * 0.62, h * 0.8, soft=8)
    canvas.blend(face * (1 - inner), looks.skin * 0.66, 0.7)
    canvas.blend(canvas.polygon(_points(head, _HAIRLINE), soft=1.5) * back, looks.hair)
    canvas.blend(canvas.ellipse(*at(*_EAR), w * 0.15, h * 0.17, soft=0.8), looks.skin * 0.82)
    _eye(canvas, head)
    _nose_and_mouth(canvas, head)
    if looks.beard is not None:
        canvas.shade(canvas.polygon(_points(head, _BEARD), soft=2), looks.hair, looks.beard)


def draw_profile_mask(canvas: Canvas, head: Head, *, lowered: float = 0.0) -> None:
    """The mask from the side: ``lowered`` is 0 worn right, 0.4 under the nose, 1 at the chin."""
    at, cloth = _placed(head), head.looks.cloth
    shape = tuple(
        (across - 0.12 * lowered, down + lowered * (0.72 if down < 0.5 else 0.16))
        for across, down in _MASK
    )
    for corner in (shape[-1], shape[-3]):
        canvas.shade(canvas.line([at(*corner), at(*_EAR)], 1, soft=0.5), cloth.colour * 0.95, 0.8)
    cover = canvas.polygon(_points(head, shape), soft=0.8)
    canvas.blend(cover, cloth.colour)
    middle = canvas.ellipse(*at(0.8, 0.4), head.half_width * 0.35, head.half_height * 0.4, soft=6)
    canvas.blend(cover * (1 - middle), cloth.colour * 0.7, 0.8)


def draw_profile_glasses(canvas: Canvas, head: Head) -> None:
    """One lens and its temple, if the person has glasses."""
    frame, at, w, h = head.looks.glasses, _placed(head), head.half_width, head.half_height
    if frame is None:
        return
    lens = canvas.ellipse(*at(0.68, -0.1), w * 0.2 - 1.6, h * 0.16 - 1.6)
    ring = canvas.ellipse(*at(0.68, -0.1), w * 0.2, h * 0.16) - lens
    canvas.blend(np.clip(ring, 0, 1), frame, 0.9)
    canvas.blend(canvas.line([at(0.5, -0.12), at(-0.1, -0.1)], 1.4), frame, 0.9)


def _eye(canvas: Canvas, head: Head) -> None:
    at, w, h, looks = _placed(head), head.half_width, head.half_height, head.looks
    opening = h * looks.eye_opening
    canvas.shade(
        canvas.ellipse(*at(0.62, -0.13), w * 0.2, h * 0.11, soft=3), looks.skin * 0.55, 0.7
    )
    canvas.blend(canvas.ellipse(*at(0.65, -0.12), w * 0.1, opening, soft=0.6), EYE_WHITE)
    canvas.blend(canvas.ellipse(*at(0.69, -0.12), w * 0.05, opening, soft=0.5), IRIS)
    lid = [at(0.54, -0.13), at(0.64, -0.12 - looks.eye_opening), at(0.76, -0.14)]
    canvas.shade(canvas.line(lid, 2, soft=0.6), looks.skin * 0.25, 0.8)
    height = -0.12 - looks.brows[0]
    brow = [at(0.45, height), at(0.65, height - 0.03), at(0.83, height + 0.02)]
    canvas.shade(canvas.line(brow, 3, soft=0.9), looks.hair * 0.8, 0.8)


def _nose_and_mouth(canvas: Canvas, head: Head) -> None:
    at, w, h, skin = _placed(head), head.half_width, head.half_height, head.looks.skin
    canvas.shade(canvas.ellipse(*at(0.92, 0.2), w * 0.05, h * 0.03, soft=0.7), skin * 0.25, 0.9)
    wing = canvas.line([at(0.8, 0.1), at(0.77, 0.2), at(0.84, 0.25)], 1.5, soft=1)
    canvas.shade(wing, skin * 0.55, 0.7)
    canvas.shade(canvas.ellipse(*at(0.82, 0.47), w * 0.14, h * 0.07, soft=0.9), skin * LIPS, 0.9)
    canvas.shade(canvas.line([at(0.66, 0.48), at(0.95, 0.46)], 1.5, soft=0.6), skin * 0.35, 0.8)


def _placed(head: Head) -> Callable[[float, float], tuple[float, float]]:
    """Shares of the head to units of the canvas, mirrored for a face that looks to the left."""
    side = 1 if head.turn >= 0 else -1
    return lambda across, down: (
        head.x + side * across * head.half_width,
        head.y + down * head.half_height,
    )


def _points(head: Head, shares: Shares) -> list[tuple[float, float]]:
    at = _placed(head)
    return [at(across, down) for across, down in shares]
