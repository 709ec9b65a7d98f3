"""What a face wears: mask, glasses, cap."""

import numpy as np

from producer.drawing.canvas import Canvas, FloatImage
from producer.drawing.looks import Cloth, Head


def draw_mask(canvas: Canvas, head: Head, *, lowered: float = 0.0) -> None:
    """A mask with its straps. ``lowered``: 0 worn right, 0.4 under the nose, 1 at the chin."""
    cloth = head.looks.cloth
    y, h = head.y, head.half_height
    bridge = y + h * (cloth.bridge + 0.76 * lowered)
    edge = y + h * (cloth.edge + 0.62 * lowered)
    chin = y + h * (cloth.chin + 0.14 * lowered)
    _straps(canvas, head, edge, (edge + chin) / 2)
    outline = _outline(head, bridge, edge, chin)
    canvas.shade(canvas.polygon(outline, soft=2.5), head.looks.skin * 0.4, 0.5)
    cover = canvas.polygon(outline, soft=0.8)
    canvas.blend(cover, cloth.colour)
    _shading(canvas, head, cover, bridge, chin)
    _pattern(canvas, head, cover, bridge, chin)


def _straps(canvas: Canvas, head: Head, *heights: float) -> None:
    w = head.half_width
    for side in (-1, 1):
        ear = (head.x + side * w * 1.02, head.y - head.half_height * 0.02)
        for height in heights:
            strap = canvas.line([(head.x + side * w * 0.9, height), ear], 1, soft=0.5)
            canvas.shade(strap, head.looks.cloth.colour * 0.95, 0.8)


def _outline(head: Head, bridge: float, edge: float, chin: float) -> list[tuple[float, float]]:
    x, w, middle = head.feature_x(0), head.half_width, (edge + chin) / 2
    left, right = head.x - w * 0.9, head.x + w * 0.9
    return [
        (x - w * 0.18, bridge), (x + w * 0.18, bridge),
        (right, edge), (right - w * 0.08, middle),
        (x + w * 0.42, chin), (x - w * 0.42, chin),
        (left + w * 0.08, middle), (left, edge),
    ]  # fmt: skip


def _shading(canvas: Canvas, head: Head, cover: FloatImage, bridge: float, chin: float) -> None:
    x, w, h, colour = head.feature_x(0), head.half_width, chin - bridge, head.looks.cloth.colour
    middle = canvas.ellipse(x, bridge + h * 0.44, w * 0.55, h * 0.44, soft=8)
    canvas.blend(cover * (1 - middle), colour * 0.68, 0.8)
    ridge = canvas.line([(x, bridge + 2), (x, bridge + h * 0.4)], 4, soft=3)
    canvas.blend(cover * ridge, np.minimum(colour * 1.15, 255), 0.6)


def _pattern(canvas: Canvas, head: Head, cover: FloatImage, bridge: float, chin: float) -> None:
    cloth: Cloth = head.looks.cloth
    x, w, h = head.feature_x(0), head.half_width, chin - bridge
    left, right = head.x - w * 0.9, head.x + w * 0.9
    for part in cloth.folds:
        fold = bridge + h * (part + 0.04)
        points = [(left, fold - 2), (x, fold + 2), (right, fold - 2)]
        canvas.blend(cover * canvas.line(points, 1, soft=0.8), cloth.colour * 0.75, 0.7)
    for across, down in cloth.spots:
        spot = canvas.ellipse(head.x + across * w, bridge + down * h, 2.5, 2.5, soft=0.6)
        canvas.blend(cover * spot, cloth.print_colour, 0.8)
    if not cloth.folds and not cloth.spots:
        seam = canvas.line([(x, bridge), (x, chin)], 1, soft=1)
        canvas.blend(cover * seam, cloth.colour * 0.7, 0.7)


def draw_glasses(canvas: Canvas, head: Head) -> None:
    """Two rings and a bridge, if the person has glasses."""
    frame, y, w, h = head.looks.glasses, head.y, head.half_width, head.half_height
    if frame is None:
        return
    y -= h * 0.1
    for side in (-1, 1):
        x = head.feature_x(side * 0.42)
        lens = canvas.ellipse(x, y, w * 0.32 - 1.6, h * 0.16 - 1.6)
        ring = canvas.ellipse(x, y, w * 0.32, h * 0.16) - lens
        canvas.blend(np.clip(ring, 0, 1), frame, 0.9)
    bridge = [(head.feature_x(-0.1), y - 1), (head.feature_x(0.1), y - 1)]
    canvas.blend(canvas.line(bridge, 2), frame, 0.9)


def draw_cap(canvas: Canvas, head: Head) -> None:
    """A cap with a peak, if the person has one."""
    colour, x, w, h = head.looks.cap, head.x, head.half_width, head.half_height
    if colour is None:
        return
    rim = head.y - h * 0.55
    dome = canvas.ellipse(x, rim, w * 1.15, h * 0.6, soft=1)
    above = canvas.polygon(
        [(x - 2 * w, rim - h), (x + 2 * w, rim - h), (x + 2 * w, rim), (x - 2 * w, rim)]
    )
    canvas.blend(dome * above, colour)
    peak = canvas.ellipse(x + head.turn * w, rim, w * 1.0, h * 0.1, soft=1)
    canvas.blend(peak, colour * 0.6)
