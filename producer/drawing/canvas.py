"""A canvas and the shapes on it.

Shapes are placed in units of the drawing: a head is about 66 units wide. A canvas has ``scale``
pixels a unit. A shape is its cover, float (height, width) of the canvas in pixels, 0 to 1, with
anti-aliased edges.
"""

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels

FloatImage = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float64]
_FRACTION_BITS = 4  # shapes are placed to 1/16 of a pixel
_OUTER = 3.0  # a softened edge ends after so many sigmas


class Canvas:
    """Float pixels (height, width, channels), colours from 0 to 255.

    With 3 channels the canvas is a picture. With 4 it is a layer that begins empty: its colours
    are multiplied by its opacity (the last channel, 0 to 1), so that no edge gets a halo.
    """

    def __init__(
        self, pixels: FloatImage, *, scale: float = 1.0, left: float = 0.0, top: float = 0.0
    ) -> None:
        self.pixels = pixels
        self.scale = scale
        self._origin = np.asarray((left, top))

    @classmethod
    def empty(cls, left: float, top: float, right: float, bottom: float, scale: float) -> "Canvas":
        """A transparent layer that shows the units from (left, top) to (right, bottom)."""
        height, width = round((bottom - top) * scale), round((right - left) * scale)
        return cls(np.zeros((height, width, 4), np.float32), scale=scale, left=left, top=top)

    def part(self, left: float, top: float, right: float, bottom: float) -> "Canvas":
        """A canvas that shares the pixels from (left, top) to (right, bottom), in units.

        Drawing there takes less time than drawing on the whole.
        """
        corners = (np.asarray(((left, top), (right, bottom))) - self._origin) * self.scale
        (x0, y0), (x1, y1) = np.maximum(np.round(corners), 0).astype(int).tolist()
        left, top = self._origin + np.asarray((x0, y0)) / self.scale
        return Canvas(self.pixels[y0:y1, x0:x1], scale=self.scale, left=left, top=top)

    def blend(self, cover: FloatImage, colour: npt.ArrayLike, strength: float = 1.0) -> None:
        """Put a colour on the canvas where ``cover`` is."""
        part = _extent(cover)
        target = self.pixels[part]
        channels = np.ones(target.shape[2], np.float32)
        channels[:3] = colour
        alpha = (cover[part] * np.float32(strength))[..., None]
        target += (channels - target) * alpha

    def shade(self, cover: FloatImage, colour: npt.ArrayLike, strength: float = 1.0) -> None:
        """Blend only where a layer is not empty: a shadow must not reach beyond the person."""
        layer = self.pixels.shape[2] == 4
        self.blend(cover * self.pixels[..., 3] if layer else cover, colour, strength)

    def ellipse(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        *,
        soft: float = 0.0,
        angle: float = 0.0,
    ) -> FloatImage:
        """The cover of an ellipse; ``angle`` in degrees, ``soft``: sigma of the edge in units."""
        cover = self._nothing()
        (centre,) = self._fixed_point([(x, y)])
        axes = [
            max(1, round(half * self.scale * 2**_FRACTION_BITS))
            for half in (half_width, half_height)
        ]
        cv2.ellipse(
            cover, centre.tolist(), axes, angle, 0, 360, 255, -1, cv2.LINE_AA, _FRACTION_BITS
        )
        return self._softened(cover, soft)

    def polygon(self, points: npt.ArrayLike, *, soft: float = 0.0) -> FloatImage:
        """The cover of a polygon, points (n, 2)."""
        cover = self._nothing()
        cv2.fillPoly(cover, [self._fixed_point(points)], 255, cv2.LINE_AA, _FRACTION_BITS)
        return self._softened(cover, soft)

    def line(self, points: npt.ArrayLike, width: float, *, soft: float = 0.0) -> FloatImage:
        """The cover of a line through points (n, 2)."""
        cover, thickness = self._nothing(), max(1, round(width * self.scale))
        cv2.polylines(
            cover,
            [self._fixed_point(points)],
            False,
            255,
            thickness,
            cv2.LINE_AA,
            _FRACTION_BITS,
        )
        return self._softened(cover, soft)

    def _nothing(self) -> Pixels:
        return np.zeros(self.pixels.shape[:2], np.uint8)

    def _fixed_point(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        pixels = (np.asarray(points, float) - self._origin) * self.scale
        return np.asarray(np.round(pixels * 2**_FRACTION_BITS), np.int32)

    def _softened(self, cover: Pixels, soft: float) -> FloatImage:
        image = cover.astype(np.float32) * np.float32(1 / 255)
        sigma = soft * self.scale
        if sigma:
            # Only around the shape: a blur of the whole canvas takes most of a drawing's time.
            part = _extent(cover, margin=round(sigma * _OUTER) + 1)
            image[part] = cv2.GaussianBlur(image[part], (0, 0), sigma)
        return image


def _extent(cover: Pixels | FloatImage, margin: int = 0) -> tuple[slice, slice]:
    """The rows and columns that a cover reaches, with a margin."""
    rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )
