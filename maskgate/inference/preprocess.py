"""The preprocessing of crops. Trainer, producer and worker all call it.

``maskgate.inference.image.decode``, then :func:`reduce`, then :func:`normalise`.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels

#: The version of the arithmetic below. A model's card names the one it was trained with.
PREPROCESSING = "area-rgb-1"


def reduce(pixels: Pixels, shape: InputShape) -> Pixels:
    """Resize a decoded image to the model's input by area averaging.

    Takes (height, width, 3) RGB or (height, width) grey of any size. Returns uint8 of shape
    (shape.height, shape.width, shape.channels). For a model with three channels, grey is repeated;
    for one with one channel, colour becomes luma. The aspect ratio is not kept.
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
    """The network's input from reduced images, each uint8 of shape (height, width, channels).

    Returns float32 of shape (n, channels, height, width), from -1 to 1.
    """
    batch = np.asarray(reduced, np.uint8)
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    return planes.astype(np.float32) * np.float32(1 / 127.5) - np.float32(1)
