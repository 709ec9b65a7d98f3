"""What a camera at a door sees when nobody is there: a wall, a floor, windows and pictures."""

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.drawing.canvas import Canvas, FloatImage

WIDTH, HEIGHT = 640, 480
_OUT_OF_FOCUS_PX = 1.6


def draw_background(seed: int) -> Pixels:
    """A room, uint8 RGB (480, 640, 3); the same seed gives the same room."""
    rng = np.random.default_rng(seed)
    wall = rng.uniform(95, 185) + rng.normal(0, 8, 3)
    canvas = Canvas(np.full((HEIGHT, WIDTH, 3), wall, np.float32))
    floor = int(rng.uniform(350, 400))
    for _ in range(int(rng.integers(1, 4))):
        _window(canvas, rng, floor)
    for _ in range(int(rng.integers(0, 3))):
        _picture(canvas, rng)
    _floor(canvas, rng, floor)
    image = canvas.pixels * _light(rng)[..., None]
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), _OUT_OF_FOCUS_PX), np.float32)
    image += rng.normal(0, 2.5, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _rectangle(canvas: Canvas, left: float, top: float, width: float, height: float) -> FloatImage:
    right, bottom = left + width, top + height
    return canvas.polygon([(left, top), (right, top), (right, bottom), (left, bottom)])


def _window(canvas: Canvas, rng: np.random.Generator, floor: int) -> None:
    """A pane of glass or a door: a frame, something bright behind it, a bar across."""
    left, width = rng.uniform(-60, WIDTH), rng.uniform(70, 190)
    top, behind = rng.uniform(-20, 90), rng.uniform(120, 215) + rng.normal(0, 10, 3)
    frame, height = rng.uniform(50, 120) + rng.normal(0, 5, 3), floor - top
    canvas.blend(_rectangle(canvas, left - 6, top - 6, width + 12, height + 6), frame)
    canvas.blend(_rectangle(canvas, left, top, width, height - 4), behind)
    glow = canvas.ellipse(left + width / 2, top + height / 3, width / 2, height / 3, soft=25)
    canvas.blend(glow * _rectangle(canvas, left, top, width, height - 4), behind * 1.12, 0.7)
    canvas.blend(_rectangle(canvas, left, top + height * 0.55, width, 5), frame)


def _picture(canvas: Canvas, rng: np.random.Generator) -> None:
    left, top = rng.uniform(20, WIDTH - 120), rng.uniform(20, 140)
    width, height = rng.uniform(50, 120), rng.uniform(40, 110)
    canvas.blend(_rectangle(canvas, left, top, width, height), rng.uniform(40, 100, 3))
    inside = _rectangle(canvas, left + 5, top + 5, width - 10, height - 10)
    canvas.blend(inside, rng.uniform(70, 210, 3))
    hill = canvas.ellipse(left + width / 2, top + height, width * 0.6, height * 0.5)
    canvas.blend(hill * inside, rng.uniform(60, 180, 3))


def _floor(canvas: Canvas, rng: np.random.Generator, floor: int) -> None:
    colour = rng.uniform(70, 140) + rng.normal(0, 6, 3)
    canvas.blend(_rectangle(canvas, 0, floor, WIDTH, HEIGHT - floor), colour)
    canvas.blend(_rectangle(canvas, 0, floor - 7, WIDTH, 7), colour * 0.6)
    for foot in range(-WIDTH, 2 * WIDTH, 110):
        joint = canvas.line([(WIDTH / 2 + (foot - WIDTH / 2) * 0.4, floor), (foot, HEIGHT)], 1)
        canvas.blend(joint, colour * 0.8, 0.7)


def _light(rng: np.random.Generator) -> FloatImage:
    """Uneven light, 0.8 to 1.2, that changes slowly over the room."""
    coarse = rng.uniform(0.85, 1.15, (3, 4)).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.float32
    )
