"""Reduces a picture before detection: the time of a detector grows with its pixels."""

import cv2
import numpy as np

from maskgate.inference.image import Pixels


def reduce_to(pixels: Pixels, side_px: int) -> tuple[Pixels, float]:
    """A picture of at most ``side_px`` on its longer side, never enlarged, and its scale.

    Pixels of the reduced picture divided by the scale are pixels of the original one.
    """
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return pixels, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), scale
