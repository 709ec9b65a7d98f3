"""The only preprocessing there is: trainer, producer and worker all call it, driven by the model card.

Guarded decode (``maskgate.inference.image``) → :func:`reduce` (area averaging to the model's size, RGB or grey) → :func:`normalise`.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels

#: Changes whenever the arithmetic below does; a model says in its card which one it was trained with.
PREPROCESSING = "area-rgb-1"


def reduce(pixels: Pixels, shape: InputShape) -> Pixels:
    """Resize a decoded image to the model's input.

    Takes (height, width, 3) RGB or (height, width) grey of any size; returns uint8 of shape
    (shape.height, shape.width, shape.channels). Grey is repeated to three channels; colour becomes luma for a
    one-channel model. The aspect ratio is not kept.
    """
    if pixels.ndim == 2 and shape.channels == 3:
        pixels = np.repeat(reduce(pixels, InputShape(shape.height, shape.width, 1)), 3, axis=2)
    elif pixels.ndim == 3 and shape.channels == 1:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    if pixels.shape[:2] != (shape.height, shape.width):
        resized = cv2.resize(pixels, (shape.width, shape.height), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(resized, np.uint8)
    return pixels.reshape(shape.height, shape.width, shape.channels)


def normalise(reduced: Sequence[Pixels] | Pixels) -> npt.NDArray[np.float32]:
    """Stack reduced images, each (height, width, channels) uint8, into what the model takes.

    Returns float32 of shape (n, channels, height, width), from -1 to 1.
    """
    batch = np.asarray(reduced, np.uint8)
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    return planes.astype(np.float32) * np.float32(1 / 127.5) - np.float32(1)
