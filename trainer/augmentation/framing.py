"""Framing and pose: one random view of each image of a batch."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from maskgate.inference.image import Pixels

_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def frame(pixels: Pixels, random: Generator, *, side_px: int, strength: float) -> Tensor:
    """Mirror, rotate, zoom, stretch, shift and tilt in one resampling.

    From uint8 (n, height, width, 3) to float (n, 3, side_px, side_px), 0 to 1. It resamples at
    twice the size and then averages areas, as serving does. ``strength`` scales the changes.
    """
    framed = np.empty((len(pixels), side_px, side_px, 3), np.uint8)
    for i, matrix in enumerate(
        views(len(pixels), pixels.shape[1], random, side_px=side_px, strength=strength)
    ):
        double = cv2.warpPerspective(
            pixels[i],
            matrix,
            (2 * side_px, 2 * side_px),
            flags=_WARP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        cv2.resize(double, (side_px, side_px), dst=framed[i], interpolation=cv2.INTER_AREA)
    return (
        torch.from_numpy(framed)
        .permute(0, 3, 1, 2)
        .to(torch.float32, memory_format=torch.contiguous_format)
        / 255
    )


def views(
    count: int, kept_px: int, random: Generator, *, side_px: int, strength: float
) -> npt.NDArray[np.float64]:
    """Matrices (count, 3, 3) from a pixel of the doubled output to one of the kept image."""

    def between(low: float, high: float) -> npt.NDArray[np.float64]:
        return np.asarray(
            torch.rand(count, generator=random, dtype=torch.float64) * (high - low) + low
        )

    turned = between(0, 1) < 0.7
    angle = between(-1, 1) * math.radians(20) * strength * turned
    zoom, stretch = np.exp(between(-0.25, 0.3) * strength), np.exp(between(-0.15, 0.15) * strength)
    mirror = np.where(between(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    view = np.zeros((count, 3, 3))
    view[:, 0] = np.stack((cos * stretch * mirror, -sin, between(-0.12, 0.12) * strength), 1)
    view[:, 1] = np.stack((sin * mirror, cos / stretch, between(-0.12, 0.12) * strength), 1)
    view[:, 2] = np.stack(
        (between(-0.15, 0.15) * strength, between(-0.15, 0.15) * strength, np.ones(count)), 1
    )
    # Both images have coordinates from -1 to 1; the centre of a pixel is half a pixel inside.
    unit = 1 / side_px
    into = np.array([[unit, 0, unit / 2 - 1], [0, unit, unit / 2 - 1], [0, 0, 1]])
    half = kept_px / 2
    out = np.array([[half, 0, half - 0.5], [0, half, half - 0.5], [0, 0, 1]])
    return np.asarray(out @ view @ into)
