"""Cut masks from one photograph and paste them on others (copy-paste; Ghiasi et al., 2021).

If a data set has the same photograph with and without a mask, as the reference set has, the
difference of the two is the mask. Once other people wear the same mask, a network can't learn a
photograph's label from the person on it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from maskgate.inference.image import Pixels
from trainer.data.labelled_images import LabelledImages

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Grey levels: the two photographs differ by at most _SAME outside the mask (median), and by more
#: than _DIFFERENT inside.
_SAME, _DIFFERENT = 6, 24
#: The smallest and the largest mask, as a share of the image.
_SMALLEST, _LARGEST = 0.008, 0.35


@dataclass(frozen=True, slots=True)
class CutMasks:
    """Masks as RGBA uint8 (n, height, width, 4), each at its place in its image.

    ``sources`` are those that the masks were cut from.
    """

    rgba: Pixels
    sources: frozenset[str]


def cut_masks(images: LabelledImages, groups: npt.NDArray[np.int64]) -> CutMasks:
    """The masks of all pairs of ``images`` that have one group and two classes.

    Pairs that differ outside a mask are ignored. ``groups`` is (n,).
    """
    found, sources = [], set()
    for bare, masked in _pairs(images, groups):
        cut = _difference(images.pixels[bare], images.pixels[masked])
        if cut is not None:
            found.append(cut)
            sources |= {images.sources[bare], images.sources[masked]}
    height, width = images.pixels.shape[1:3]
    return CutMasks(
        np.stack(found) if found else np.zeros((0, height, width, 4), np.uint8), frozenset(sources)
    )


def paste_masks(pixels: Pixels, masks: Pixels, random: torch.Generator) -> Pixels:
    """Paste a random mask on each of ``pixels``, uint8 (n, height, width, 3).

    It is placed about where it was in its image, and slightly rotated, scaled, moved and lit; 30 %
    get another colour, so that a mask does not always have the same one.
    """

    def between(low: float, high: float) -> Tensor:
        return torch.rand(len(pixels), generator=random) * (high - low) + low

    size = pixels.shape[1]
    which = torch.randint(len(masks), (len(pixels),), generator=random).tolist()
    angles, scales, lights = (
        between(-15, 15).tolist(),
        between(0.75, 1.35).tolist(),
        between(0.85, 1.1).tolist(),
    )
    across, down = (between(-0.1, 0.1) * size).tolist(), (between(-0.1, 0.1) * size).tolist()
    mirrored, dyed = ((between(0, 1) < share).tolist() for share in (0.5, 0.3))
    dyes = torch.rand((len(pixels), 3), generator=random).numpy() * 1.1
    pasted = np.empty_like(pixels)
    for i, picture in enumerate(pixels):
        mask = masks[which[i]][:, ::-1] if mirrored[i] else masks[which[i]]
        centre = _centre(mask)
        matrix = cv2.getRotationMatrix2D(centre, angles[i], scales[i])
        matrix[:, 2] += (across[i], down[i])
        moved = cv2.warpAffine(np.ascontiguousarray(mask), matrix, (size, size)).astype(np.float32)
        share = moved[:, :, 3:] / 255
        # Outside the mask its colour is 0: undo the darkening of the warp at the edge.
        colour = moved[:, :, :3] / np.maximum(share, 1e-3) * lights[i]
        if dyed[i]:
            colour = colour.mean(2, keepdims=True) * dyes[i]
        colour = np.clip(colour, 0, 255)
        pasted[i] = np.rint(picture * (1 - share) + colour * share)
    return pasted


def _pairs(images: LabelledImages, groups: npt.NDArray[np.int64]) -> "Iterator[tuple[int, int]]":
    for number in np.unique(groups[images.labels == 1]):
        members = np.flatnonzero(groups == number)
        for bare in members[images.labels[members] == 0]:
            for masked in members[images.labels[members] == 1]:
                yield int(bare), int(masked)


def _difference(bare: Pixels, masked: Pixels) -> Pixels | None:
    """The mask as RGBA with a convex outline; None if the difference is not a mask."""
    apart = np.abs(masked.astype(np.int16) - bare).max(2).astype(np.uint8)
    if np.median(apart) > _SAME:
        return None
    inside = (cv2.GaussianBlur(apart, (3, 3), 0) > _DIFFERENT).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    alpha = np.zeros(apart.shape, np.uint8)
    cv2.fillConvexPoly(alpha, cv2.convexHull(max(outlines, key=cv2.contourArea)), 255)
    share = float((alpha > 0).mean())
    if not _SMALLEST <= share <= _LARGEST:
        return None
    visible = np.where(alpha[:, :, None] > 0, masked, 0).astype(np.uint8)
    return np.dstack((visible, alpha))


def _centre(mask: Pixels) -> tuple[float, float]:
    rows, columns = np.nonzero(mask[:, :, 3])
    return float(columns.mean()), float(rows.mean())
