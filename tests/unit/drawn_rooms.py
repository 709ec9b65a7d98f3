"""Pictures of rooms, as a fixed camera films them: drawn once, with new noise in each frame."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from producer.drawing import draw_face

WIDTH, HEIGHT = 640, 480


def corridor(light: float = 1.0) -> Pixels:
    """An empty corridor with plain walls and one door, seen from a camera below its ceiling."""
    room = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    back = np.asarray([(230, 150), (410, 150), (410, 300), (230, 300)])
    for points, grey in (
        ([(0, 0), (640, 0), *back[1::-1].tolist()], 175),
        ([(0, 480), (640, 480), *back[2:].tolist()], 95),
        ([(0, 0), back[0].tolist(), back[3].tolist(), (0, 480)], 140),
        ([(640, 0), back[1].tolist(), back[2].tolist(), (640, 480)], 130),
    ):
        cv2.fillPoly(room, [np.asarray(points, np.int32)], (grey, grey, grey), cv2.LINE_AA)
    cv2.rectangle(room, (300, 200), (345, 300), (80, 80, 80), -1)
    return np.asarray(room * light, np.uint8)


def lobby(at_s: float = 0.0) -> Pixels:
    """The corridor with a person who sways."""
    room, face = corridor(), _face()
    side = face.shape[0]
    x = round(320 - side / 2 + 60 * np.sin(2 * at_s))
    room[150 : 150 + side, x : x + side] = face
    return room


@lru_cache(maxsize=1)
def _face() -> Pixels:
    return draw_face(np.random.default_rng(7), masked=True, side_px=180).pixels


def noisy(picture: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """The picture with the noise of a sensor."""
    if not sigma:
        return picture
    height, width = picture.shape[:2]
    y, x = rng.integers(0, 64, 2)
    noise = _noise(sigma, height + 64, width + 64)[y : y + height, x : x + width]
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


@lru_cache(maxsize=4)
def _noise(sigma: float, height: int, width: int) -> npt.NDArray[np.int16]:
    """Drawn once; each frame takes another part of it."""
    rng = np.random.default_rng(0)
    return np.asarray(np.round(rng.normal(0, sigma, (height, width, 3))), np.int16)


def person_walks(seconds: float, fps: float = 5, sigma: float = 2.0) -> Iterator[Pixels]:
    """Frames of one person in the corridor."""
    for n in range(round(seconds * fps)):
        yield noisy(lobby(n / fps), sigma, np.random.default_rng(n))
