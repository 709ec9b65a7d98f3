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
    small = np.asarray(cv2.resize(_halved(pixels, size), size, interpolation=cv2.INTER_LINEAR))
    return np.asarray(small, np.uint8), scale


def _halved(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Halved while it stays as large as ``size``: width and height.

    OpenCV averages 2 × 2 pixels in a twentieth of the time that other areas take. Of what is left,
    bilinear interpolation leaves out no pixel.
    """
    height, width = pixels.shape[:2]
    if width < 2 * size[0] or height < 2 * size[1]:
        return pixels
    half = width // 2, height // 2
    return _halved(np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)), size)
