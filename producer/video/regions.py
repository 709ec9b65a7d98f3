"""Which part of a camera's picture anything may see: a region of interest and privacy masks.

Polygons are in relative coordinates, (0, 0) the upper left and (1, 1) the lower right corner of the
picture, so that they hold at every resolution of the camera.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ConfigurationError
from producer.video.frame import Point

Polygon: TypeAlias = Sequence[Point]

#: Fractions of a pixel in OpenCV's fixed-point coordinates, in bits.
_SHIFT = 8


def check(polygon: Sequence[Sequence[float]], name: str) -> None:
    """Check a polygon; ``name`` is for the message.

    Raises:
        ConfigurationError: names the polygon and the point, which counts from 1.
    """
    for n, point in enumerate(polygon, 1):
        if len(point) != 2:
            msg = f"{name}, point {n}: {len(point)} numbers, expected x and y"
            raise ConfigurationError(msg)
        if not all(0 <= value <= 1 for value in point):  # NaN is refused too
            x, y = point
            msg = (
                f"{name}, point {n}: ({x}, {y}) is outside the picture; x and y are from 0 to 1, "
                "relative to its width and height"
            )
            raise ConfigurationError(msg)
    if len({tuple(point) for point in polygon}) < 3:
        msg = f"{name}: {len(polygon)} points, expected at least 3 different ones"
        raise ConfigurationError(msg)
    x, y = np.asarray(polygon, np.float64).T
    if np.linalg.matrix_rank(np.stack((x - x[0], y - y[0]))) < 2:
        msg = f"{name}: its points are on one line, so it encloses nothing"
        raise ConfigurationError(msg)
    if crossing := _crossing(polygon):
        first, second = crossing
        msg = (
            f"{name}: the sides from point {first} and from point {second} cross; "
            "list the points in their order along the outline"
        )
        raise ConfigurationError(msg)


class Regions:
    """Blacks out all that is outside the region of interest or inside a privacy mask."""

    def __init__(self, region: Polygon | None = None, privacy: Sequence[Polygon] = ()) -> None:
        """No ``region`` is the whole picture.

        Raises:
            ConfigurationError: names the polygon and the point.
        """
        if region is not None:
            check(region, "region")
        for n, polygon in enumerate(privacy, 1):
            check(polygon, f"privacy mask {n}")
        self._region, self._privacy = region, tuple(privacy)
        self._visible: Pixels | None = None

    def visible(self, height: int, width: int) -> Pixels | None:
        """What of a picture of this size is visible, uint8 (height, width): 255, or 0 if not.

        None if all is. The same array until the size changes.
        """
        if self._region is None and not self._privacy:
            return None
        if self._visible is None or self._visible.shape != (height, width):
            self._visible = self._drawn(height, width)
        return self._visible

    def apply(self, pixels: Pixels) -> Pixels:
        """A picture, RGB uint8 (height, width, 3), with all blacked out that is not visible.

        The picture itself is not changed; it is returned if everything is visible.
        """
        visible = self.visible(*pixels.shape[:2])
        if visible is None or not pixels.size:
            return pixels
        return np.asarray(cv2.bitwise_and(pixels, pixels, mask=visible), np.uint8)

    def _drawn(self, height: int, width: int) -> Pixels:
        visible = np.full((height, width), 0 if self._region is not None else 255, np.uint8)
        if not visible.size:
            return visible
        if self._region is not None:
            cv2.fillPoly(visible, [_pixels(self._region, height, width)], 255, shift=_SHIFT)
        # Privacy comes last: it hides what lies in the region too.
        for polygon in self._privacy:
            cv2.fillPoly(visible, [_pixels(polygon, height, width)], 0, shift=_SHIFT)
        return visible


def _pixels(polygon: Polygon, height: int, width: int) -> npt.NDArray[np.int32]:
    # Pixel 0's centre is half a pixel inside the picture.
    points = np.asarray(polygon, np.float64) * (width, height) - 0.5
    return np.asarray(np.round(points * (1 << _SHIFT)), np.int32)


def _crossing(polygon: Sequence[Sequence[float]]) -> tuple[int, int] | None:
    """The points, from 1, at which two sides begin that cross. What both enclose is not filled."""
    sides = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    for (n, (a, b)), (m, (c, d)) in combinations(enumerate(sides, 1), 2):
        if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
            return n, m
    return None


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    """Positive if c is on one side of the line from a to b, negative on the other, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
