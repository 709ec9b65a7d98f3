"""Faces drawn by code, with and without a mask: crops for load tests and demos without any data.

They are drawn at 112 px with anti-aliased shapes and soft shading. Reduced to the model's input
they still have eye sockets, the shadow of a nose, lips and a jaw, or cloth with folds.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.drawing.canvas import Canvas, FloatImage
from producer.drawing.features import draw_features
from producer.drawing.head import draw_head, draw_neck
from producer.drawing.looks import Head, Looks
from producer.drawing.worn import draw_cap, draw_glasses, draw_mask

SIDE_PX = 112


@dataclass(frozen=True, slots=True)
class DrawnFace:
    """A drawing: ``pixels`` uint8 RGB (side_px, side_px, 3); ``slice`` names what makes it hard."""

    pixels: Pixels
    masked: bool
    slice: str


def draw_face(rng: np.random.Generator, *, masked: bool, side_px: int = SIDE_PX) -> DrawnFace:
    """Draw one face; the same generator state gives the same pixels."""
    head = Head(
        Looks.random(rng),
        x=SIDE_PX / 2 + rng.normal(0, 3),
        y=SIDE_PX / 2 + rng.normal(2, 3),
        turn=float(np.clip(rng.normal(0, 0.22), -0.5, 0.5)),
    )
    canvas = Canvas(_background(rng))
    _shirt(canvas, head)
    draw_neck(canvas, head)
    draw_head(canvas, head)
    draw_features(canvas, head)
    if masked:
        draw_mask(canvas, head)
    draw_glasses(canvas, head)
    draw_cap(canvas, head)
    light = rng.uniform(0.55, 1.1)
    pixels = _photograph(canvas.pixels, head, light, rng)
    if side_px != SIDE_PX:
        pixels = np.asarray(
            cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8
        )
    return DrawnFace(pixels, masked, _slice(head, light))


def _slice(head: Head, light: float) -> str:
    tags = {
        "dark": light < 0.68,
        "turned": abs(head.turn) > 0.35,
        "cap": head.looks.cap is not None,
        "glasses": head.looks.glasses is not None,
        "beard": head.looks.beard is not None,
    }
    return next((name for name, so in tags.items() if so), "plain")


def _background(rng: np.random.Generator) -> FloatImage:
    coarse = (
        rng.uniform(30, 225)
        + rng.normal(0, 12, 3)
        + rng.normal(0, 22, (4, 4, 1))
        + rng.normal(0, 8, (4, 4, 3))
    )
    return np.asarray(
        cv2.resize(coarse.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC),
        np.float32,
    )


def _shirt(canvas: Canvas, head: Head) -> None:
    w, h = head.half_width, head.half_height
    shirt = canvas.ellipse(head.x, head.y + h * 1.75, w * 2.1, h * 0.85, soft=1)
    canvas.blend(shirt, head.looks.shirt)


def _photograph(picture: FloatImage, head: Head, light: float, rng: np.random.Generator) -> Pixels:
    """Adds light from one side, a colour cast, angle and distance of the camera, blur and noise."""
    ramp = np.linspace(-1, 1, SIDE_PX, dtype=np.float32)
    across, down = rng.uniform(-0.3, 0.3, 2)
    image = picture * light * (1 + across * ramp[None, :, None] + down * ramp[:, None, None])
    image = image * np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    turn = cv2.getRotationMatrix2D(
        (head.x, head.y), float(rng.normal(0, 7)), float(rng.uniform(1.0, 1.45))
    )
    turn[:, 2] += np.asarray(
        (SIDE_PX / 2 - head.x + rng.normal(0, 2), SIDE_PX / 2 - head.y + rng.normal(0, 2))
    )
    image = np.asarray(
        cv2.warpAffine(image, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REFLECT), np.float32
    )
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 2.0))), np.float32)
    image += rng.normal(0, rng.uniform(1, 6), image.shape).astype(np.float32)
    return np.asarray(np.clip(image, 0, 255), np.uint8)
