"""Shapes on a canvas: float (SIDE_PX, SIDE_PX, 3), 0 to 255.

A shape is its cover, float (SIDE_PX, SIDE_PX), 0 to 1, with anti-aliased edges.
"""

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels

SIDE_PX = 112
FloatImage = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float64]


def blend(
    canvas: FloatImage, cover: FloatImage, colour: Colour | FloatImage, strength: float = 1.0
) -> None:
    """Put a colour on the canvas where ``cover`` (0 to 1) is, in place."""
    alpha = (cover * strength)[..., None]
    canvas += (np.asarray(colour, np.float32) - canvas) * alpha


def ellipse(
    x: float,
    y: float,
    half_width: float,
    half_height: float,
    *,
    soft: float = 0.0,
    angle: float = 0.0,
) -> FloatImage:
    """The cover of an ellipse; ``angle`` in degrees, ``soft`` the sigma of its edge in pixels."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    centre, axes = (
        (round(x * 16), round(y * 16)),
        (max(1, round(half_width * 16)), max(1, round(half_height * 16))),
    )
    cv2.ellipse(cover, centre, axes, angle, 0, 360, 255, -1, cv2.LINE_AA, 4)
    return _softened(cover, soft)


def polygon(points: npt.ArrayLike, *, soft: float = 0.0) -> FloatImage:
    """The cover of a polygon, points (n, 2)."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillPoly(cover, [np.round(np.asarray(points) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return _softened(cover, soft)


def line(points: npt.ArrayLike, width: int, *, soft: float = 0.0) -> FloatImage:
    """The cover of a line through points (n, 2)."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.polylines(
        cover,
        [np.round(np.asarray(points) * 16).astype(np.int32)],
        False,
        255,
        width,
        cv2.LINE_AA,
        4,
    )
    return _softened(cover, soft)


def _softened(cover: Pixels, soft: float) -> FloatImage:
    image: FloatImage = np.asarray(cover / 255, np.float32)
    if not soft:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), soft), np.float32)
