"""What the health check measures on one picture, on reduced grey copies of fixed size.

The picture is divided into 8 × 6 tiles. The upper and lower row are left out where enough other
tiles are visible: cameras write a running clock there, which is sharp and changes on a camera that
is frozen, covered or out of focus.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from producer.video.health_limits import HealthLimits

_TILES = (8, 6)
_COARSE = (40, 30)
_SMALL = (160, 120)
_FOCUS = (320, 240)
#: Larger pictures are sampled at this size first: reducing 1080p by areas takes 2 to 6 ms.
_SAMPLED = (640, 480)
#: Part of a tile that must be visible for the tile to be measured.
_VISIBLE_PART = 0.5
#: With fewer visible tiles in the inner rows, those of the outer rows count too.
_FEW_TILES = 8
#: Median of the absolute values of normal noise, in standard deviations.
_MEDIAN_OF_NOISE = 0.6745
#: Sharpest tiles, of 1: a tenth is sharper than this one.
_SHARPEST = 0.9
#: Levels between the darkest and the brightest 2 %: less is noise.
_LEAST_CONTRAST = 16.0

Number = TypeVar("Number", np.uint8, np.float32)
_Floats = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measures:
    """Of the visible part of one picture. Levels are grey levels, 0 to 255.

    white: share of the pixels at the top of the range.
    structured: share of the tiles that have an edge at coarse resolution.
    change, background_change: mean change of a tile since the last picture, in levels: of the tile
        that changed most, and of one that a quarter of the tiles changed less than. None on the
        first picture of a size.
    sharpness: see ``_sharpness``; None if the picture is smaller than 320×240.
    """

    mean: float
    p95: float
    white: float
    structured: float
    change: float | None
    background_change: float | None
    sharpness: float | None


class PictureMeasures:
    """Measures pictures, one after the other, of one camera."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._mask: Pixels | None = None
        self._view = _View(None)
        self._shape: tuple[int, ...] = ()
        self._samples: Pixels | None = None

    def measure(self, pixels: Pixels, visible: Pixels | None) -> Measures | None:
        """Measure an RGB picture, uint8 (height, width, 3), where ``visible`` (height, width) != 0.

        None if nothing is visible.
        """
        if visible is not self._mask:
            self._mask, self._view, self._samples = visible, _View(visible), None
        view = self._view
        if not pixels.size or not view.tiles.any():
            return None
        change = self._change(pixels)
        medium = _grey(pixels)
        small = _resized(medium, _SMALL)
        shares = self._histogram(small)
        p2, p95, p98 = np.searchsorted(np.cumsum(shares), (0.02, 0.95, 0.98)).tolist()
        large = pixels.shape[0] >= _FOCUS[1] and pixels.shape[1] >= _FOCUS[0]
        return Measures(
            mean=float(shares @ np.arange(256)),
            p95=float(p95),
            white=float(shares[self._limits.white_level :].sum()),
            structured=self._structured(small),
            change=change[0],
            background_change=change[1],
            sharpness=_sharpness(medium, p98 - p2, view) if large else None,
        )

    def _change(self, pixels: Pixels) -> tuple[float, float] | tuple[None, None]:
        """Single pixels, never means: those would hide the noise that shows a living camera."""
        every = np.asarray(cv2.resize(pixels, _SMALL, interpolation=cv2.INTER_NEAREST))
        samples = np.asarray(np.ascontiguousarray(every[..., 1]), np.uint8)
        before, self._samples = self._samples, samples
        known, self._shape = self._shape, pixels.shape
        if before is None or known != pixels.shape:
            return None, None
        tiles = self._view.tile_means(np.asarray(cv2.absdiff(samples, before), np.float32))
        return float(tiles.max()), float(np.sort(tiles)[len(tiles) // 4])

    def _histogram(self, small: Pixels) -> npt.NDArray[np.float64]:
        """The share of each of the 256 levels in the visible part."""
        counts = cv2.calcHist([small], [0], self._view.small, [256], [0, 256]).ravel()
        return np.asarray(counts / max(counts.sum(), 1), np.float64)

    def _structured(self, small: Pixels) -> float:
        coarse = np.asarray(_resized(small, _COARSE), np.float32)
        across = np.abs(np.diff(coarse, axis=1, append=coarse[:, -1:]))
        down = np.abs(np.diff(coarse, axis=0, append=coarse[-1:]))
        edges = np.maximum(across, down) * self._view.coarse
        strongest = edges.reshape(6, 5, 8, 5).max(axis=(1, 3))
        return float((strongest[self._view.tiles] >= self._limits.edge_levels).mean())


class _View:
    """What is visible, at each of the sizes, without the edges of what is blacked out."""

    def __init__(self, visible: Pixels | None) -> None:
        full = np.ones((2, 2), np.uint8)
        if visible is not None and visible.size:
            full = np.asarray(visible != 0, np.uint8)
        self.small = _shrunken(full, _SMALL)
        self.focus = np.asarray(_shrunken(full, _FOCUS), np.float32)
        self.coarse = np.asarray(_shrunken(full, _COARSE), np.float32)
        self._weights = np.asarray(self.small, np.float32)
        self.parts = _resized(self._weights, _TILES)
        tiles = self.parts >= _VISIBLE_PART
        inner = tiles.copy()
        inner[[0, -1]] = False
        self.tiles: _Mask = inner if inner.sum() >= _FEW_TILES else tiles

    def tile_means(self, values: _Floats) -> _Floats:
        """Means of the visible values of each measured tile; ``values`` has the small size."""
        means = _resized(values * self._weights, _TILES)[self.tiles] / self.parts[self.tiles]
        return np.asarray(means, np.float32)


def _sharpness(medium: Pixels, contrast: float, view: _View) -> float:
    """How sharp the sharpest tiles are: the standard deviation of the Laplacian in them.

    J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000, use the
    variance. The noise's part of it is subtracted (estimated by the median over the picture, of
    which edges are the smaller part), and it is divided by the contrast of the picture, so that
    neither a dim light nor the noise in it counts.
    """
    laplacian = np.asarray(cv2.Laplacian(medium, cv2.CV_32F), np.float32)
    some = np.abs(laplacian[::4, ::4])[view.focus[::4, ::4] != 0]
    noise = float(np.median(some)) / _MEDIAN_OF_NOISE if some.size else 0.0
    squares = _resized(laplacian * laplacian * view.focus, _SMALL)
    tiles = np.sort(view.tile_means(squares))
    variance = float(tiles[int(len(tiles) * _SHARPEST)]) - noise**2
    return float(np.sqrt(max(variance, 0.0))) / max(contrast, _LEAST_CONTRAST)


def _grey(pixels: Pixels) -> Pixels:
    sampled = pixels
    if pixels.shape[0] * pixels.shape[1] > _SAMPLED[0] * _SAMPLED[1]:
        sampled = np.asarray(cv2.resize(pixels, _SAMPLED, interpolation=cv2.INTER_NEAREST))
    return np.asarray(cv2.cvtColor(_resized(sampled, _FOCUS), cv2.COLOR_RGB2GRAY), np.uint8)


def _resized(values: npt.NDArray[Number], size: tuple[int, int]) -> npt.NDArray[Number]:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), values.dtype)


def _shrunken(full: Pixels, size: tuple[int, int]) -> Pixels:
    """The visible cells of a size: those that are wholly visible, as are their neighbours."""
    whole = np.asarray(_resized(full * np.uint8(255), size) == 255, np.uint8)
    return np.asarray(cv2.erode(whole, np.ones((3, 3), np.uint8)), np.uint8)
