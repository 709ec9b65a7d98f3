"""Augmentation: change training images as a door's cameras would.

Framing, pose, occlusion, light, blur, resolution, JPEG, noise, grey. Every step works on a batch,
float (n, 3, height, width) from 0 to 1, and changes a random part of it, so that it costs no more
than what it changes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from maskgate.inference.image import Pixels
from trainer.augmentation.copy_paste import paste_masks
from trainer.augmentation.occluders import OCCLUDERS
from trainer.augmentation.synthetic_masks import wear_masks

#: The lengths of blur and motion were chosen at this image size.
_REFERENCE_PX = 28
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True)
class AugmentationOptions:
    """How strongly images are changed; 1 generalised best in short trainings."""

    geometry: float = 1.0  # scales the change of framing and pose
    light: float = 1.0  # scales the change of brightness and colour
    damage: float = 1.0  # scales the share of images with blur, noise, few pixels, …
    occluders: float = 1.0  # scales the share of images with an object that is no mask
    fewest_px: int = 12  # the smallest side to which an image is reduced and enlarged again
    grey: float = 0.25  # share of images that lose their colour
    synthetic_masks: float = 0.0  # share of unmasked, tight faces that get a drawn mask
    cut_masks: float = 0.0  # share of unmasked faces that get a mask cut from another image


class Augmentation:
    """Augments batches. It has its own random generator, so that a seed repeats a training.

    ``masks`` are RGBA uint8 (n, height, width, 4), to paste on faces.
    """

    def __init__(
        self,
        side_px: int,
        seed: int,
        options: AugmentationOptions | None = None,
        masks: Pixels | None = None,
    ) -> None:
        self._side_px = side_px
        self._options = options or AugmentationOptions()
        self._masks = masks
        self.random = torch.Generator().manual_seed(seed)

    def __call__(
        self, batch: Tensor, labels: Tensor, tight: Tensor, can_be_pasted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Augment uint8 (n, height, width, 3) to float (n, 3, side_px, side_px), -1 to 1.

        ``labels`` (n,) is 1 for a mask. ``tight`` (n,) marks faces that fill the image, on which a
        mask can be drawn. ``can_be_pasted`` (n,) marks faces on which a cut mask can be pasted.
        Returns the images and their labels, which are 1 where a mask was added.
        """
        if share := self._options.synthetic_masks:
            batch, labels = self._add_masks(batch, labels, tight, share, self._draw)
        if self._masks is not None and len(self._masks) and (share := self._options.cut_masks):
            paste = partial(paste_masks, masks=self._masks, random=self.random)
            batch, labels = self._add_masks(batch, labels, can_be_pasted, share, paste)
        images = self._frame(batch.numpy())
        damage = self._options.damage
        changes: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
            (1.0, self._light),
            (0.4, self._side_shadow),
            (0.08 * damage, self._glare),
            (0.25 * damage, self._soften),
            (0.12 * damage, self._motion),
            (0.25 * damage, self._few_pixels),
            (0.1 * damage, self._jpeg),
            (0.4 * damage, self._noise),
            (self._options.grey, luma),
        )
        for share, change in changes:
            images = self._on_some(images, share, change)
        return images.clamp(0, 1) * 2 - 1, labels

    def for_student(self, images: Tensor) -> Tensor:
        """Add occluders and coloured light, which teachers do not see.

        Float (n, 3, height, width), -1 to 1. A teacher's probabilities for a patch on an unmasked
        face or for a mask in yellow light would be wrong. Grey images get no coloured light.
        """
        seen = images / 2 + 0.5
        for occluder in OCCLUDERS:
            seen = self._on_some(
                seen, 0.1 * self._options.occluders, partial(_occlude, self.random, occluder)
            )
        return self._on_some(
            seen * 2 - 1, 0.2 if self._options.grey < 1 else 0, self._coloured_light
        )

    def _add_masks(
        self,
        batch: Tensor,
        labels: Tensor,
        candidates: Tensor,
        share: float,
        add: Callable[[Pixels], Pixels],
    ) -> tuple[Tensor, Tensor]:
        """Add masks to a share of the unmasked candidates; uint8 (n, height, width, 3)."""
        drawn = torch.rand(len(labels), generator=self.random) < share
        chosen = (labels == 0) & candidates & drawn
        if not chosen.any():
            return batch, labels
        masked = torch.from_numpy(add(batch[chosen].numpy()))
        return batch.index_put((chosen,), masked), torch.where(chosen, 1, labels)

    def _draw(self, pixels: Pixels) -> Pixels:
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        masked = (wear_masks(images, self.random) * 255).round().byte().permute(0, 2, 3, 1)
        return np.asarray(masked, np.uint8)

    def _coloured_light(self, images: Tensor) -> Tensor:
        """Warm light takes blue away, cold light (a quarter of the cases) takes red away."""
        warm = self._uniform(images, 0, 1.1)
        gain = torch.cat(
            (torch.zeros_like(warm), -warm * self._uniform(images, 0.1, 0.5), -warm), 1
        )
        cold = self._uniform(images, 0, 1) < 0.25
        gain = torch.where(cold, gain.flip(1) / 2, gain)
        return ((images + 1) * torch.exp(gain * self._options.light)).clamp(0, 2) - 1

    def _on_some(self, images: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
        if share >= 1:
            return change(images)
        chosen = torch.rand(len(images), generator=self.random) < share
        if not chosen.any():
            return images
        return images.index_put((chosen,), change(images[chosen]))

    def _uniform(self, like: Tensor, low: float, high: float, *shape: int) -> Tensor:
        return (
            torch.rand((len(like), *(shape or (1, 1, 1))), generator=self.random) * (high - low)
            + low
        )

    def _frame(self, pixels: Pixels) -> Tensor:
        """Mirror, rotate, zoom, stretch, shift and tilt in one resampling.

        It resamples at twice the size and then averages areas, as serving does.
        """
        side = self._side_px
        framed = np.empty((len(pixels), side, side, 3), np.uint8)
        for i, matrix in enumerate(self._views(len(pixels), pixels.shape[1])):
            double = cv2.warpPerspective(
                pixels[i],
                matrix,
                (2 * side, 2 * side),
                flags=_WARP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            cv2.resize(double, (side, side), dst=framed[i], interpolation=cv2.INTER_AREA)
        return (
            torch.from_numpy(framed)
            .permute(0, 3, 1, 2)
            .to(torch.float32, memory_format=torch.contiguous_format)
            / 255
        )

    def _views(self, count: int, kept_px: int) -> npt.NDArray[np.float64]:
        """Matrices (count, 3, 3) from a pixel of the doubled output to one of the kept image."""
        s = self._options.geometry

        def between(low: float, high: float) -> npt.NDArray[np.float64]:
            return np.asarray(
                torch.rand(count, generator=self.random, dtype=torch.float64) * (high - low) + low
            )

        turned = between(0, 1) < 0.7
        angle = between(-1, 1) * math.radians(20) * s * turned
        zoom, stretch = np.exp(between(-0.25, 0.3) * s), np.exp(between(-0.15, 0.15) * s)
        mirror = np.where(between(0, 1) < 0.5, -1.0, 1.0)
        cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
        view = np.zeros((count, 3, 3))
        view[:, 0] = np.stack((cos * stretch * mirror, -sin, between(-0.12, 0.12) * s), 1)
        view[:, 1] = np.stack((sin * mirror, cos / stretch, between(-0.12, 0.12) * s), 1)
        view[:, 2] = np.stack(
            (between(-0.15, 0.15) * s, between(-0.15, 0.15) * s, np.ones(count)), 1
        )
        # Both images have coordinates from -1 to 1; the centre of a pixel is half a pixel inside.
        unit = 1 / self._side_px
        into = np.array([[unit, 0, unit / 2 - 1], [0, unit, unit / 2 - 1], [0, 0, 1]])
        half = kept_px / 2
        out = np.array([[half, 0, half - 0.5], [0, half, half - 0.5], [0, 0, 1]])
        return np.asarray(out @ view @ into)

    def _light(self, images: Tensor) -> Tensor:
        """Gamma, contrast, brightness and colour cast."""
        s = self._options.light
        images = images.clamp(1e-3, 1) ** torch.exp(self._uniform(images, -0.5, 0.5) * s)
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * torch.exp(self._uniform(images, -0.4, 0.35) * s) + mean
        images = images * torch.exp(self._uniform(images, -0.35, 0.3) * s)
        return (images * torch.exp(self._uniform(images, -0.14, 0.14, 3, 1, 1) * s)).clamp(0, 1)

    def _side_shadow(self, images: Tensor) -> Tensor:
        """Light from one side: a gradient of brightness, soft or with an edge."""
        ramp = torch.linspace(-1, 1, images.shape[-1])
        direction = self._uniform(images, -1, 1, 2, 1, 1)
        slope = direction[:, :1] * ramp.view(1, 1, 1, -1) + direction[:, 1:] * ramp.view(
            1, 1, -1, 1
        )
        slope = torch.tanh(slope * self._uniform(images, 0.7, 4))
        return (images * (1 + 0.45 * self._options.light * slope)).clamp(0, 1)

    def _glare(self, images: Tensor) -> Tensor:
        """A bright, soft spot."""
        at = torch.linspace(-1, 1, images.shape[-1])
        centre = self._uniform(images, -1, 1, 2, 1, 1)
        distance = (at.view(1, 1, 1, -1) - centre[:, :1]) ** 2 + (
            at.view(1, 1, -1, 1) - centre[:, 1:]
        ) ** 2
        return images + (1 - images) * self._uniform(images, 0.2, 0.8) * torch.exp(
            -distance / self._uniform(images, 0.02, 0.4)
        )

    def _soften(self, images: Tensor) -> Tensor:
        """Out of focus: one or two blurs, mixed with the sharp image by a random share."""
        once = self._repeated_blur(images)
        further = torch.where(self._uniform(images, 0, 1) < 0.5, once, self._repeated_blur(once))
        return torch.lerp(images, further, self._uniform(images, 0, 1))

    def _repeated_blur(self, images: Tensor) -> Tensor:
        """As wide, relative to the image, as one blur at 28 px.

        The width of repeated blurs grows with the square root of their number.
        """
        for _ in range(round((self._side_px / _REFERENCE_PX) ** 2) or 1):
            images = _blur(images)
        return images

    def _motion(self, images: Tensor) -> Tensor:
        """Motion blur: an average along a line of up to 5 of 28 px, in one direction per call."""
        angle = float(torch.rand(1, generator=self.random)) * math.pi
        steps = (
            torch.linspace(-1, 1, 5)
            * float(torch.rand(1, generator=self.random))
            * 2.5
            * 2
            / _REFERENCE_PX
        )
        theta = torch.eye(2, 3).repeat(len(steps), 1, 1)
        theta[:, 0, 2], theta[:, 1, 2] = steps * math.cos(angle), steps * math.sin(angle)
        grids = functional.affine_grid(
            theta, [len(steps), 3, *images.shape[-2:]], align_corners=False
        )
        moved = [
            functional.grid_sample(
                images,
                grid.expand(len(images), -1, -1, -1),
                padding_mode="border",
                align_corners=False,
            )
            for grid in grids
        ]
        return torch.stack(moved).mean(0)

    def _few_pixels(self, images: Tensor) -> Tensor:
        """Reduced and enlarged again; the reduced side is log-uniform."""
        side, fewest = images.shape[-1], self._options.fewest_px
        low = round(fewest * (side / fewest) ** float(torch.rand(1, generator=self.random)))
        part = functional.interpolate(images, size=(low, low), mode="area")
        return functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)

    def _jpeg(self, images: Tensor) -> Tensor:
        """JPEG at quality 15 to 70, on brightness only.

        At this size, an encoder would halve the resolution of colour.
        """
        qualities = self._uniform(images, 15, 70).int().flatten().tolist()
        grey = luma(images)[:, 0].clamp(0, 1).mul(255).round()
        bodies = [
            cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, q])[1]
            for p, q in zip(grey.byte().numpy(), qualities, strict=True)
        ]
        decoded = np.stack(
            [np.asarray(cv2.imdecode(body, cv2.IMREAD_GRAYSCALE)) for body in bodies]
        )
        return images + ((torch.from_numpy(decoded) - grey) / 255).unsqueeze(1)

    def _noise(self, images: Tensor) -> Tensor:
        """Sensor noise: more in dark areas, partly coloured."""
        amount = self._uniform(images, 0, 0.07)
        grains = torch.randn(images.shape, generator=self.random)
        one = torch.randn((len(images), 1, *images.shape[2:]), generator=self.random)
        return images + amount * torch.lerp(grains, one.expand_as(images), 0.5) * 1.3 * (
            1.2 - images.clamp(0, 1)
        )


def _occlude(
    random: torch.Generator, occluder: Callable[[Tensor, torch.Generator], Tensor], images: Tensor
) -> Tensor:
    return occluder(images, random)


def shrink(images: Tensor, side_px: int) -> Tensor:
    """Reduce square images (n, channels, height, width) as INTER_AREA does in OpenCV."""
    before = images.shape[-1]
    if before == side_px:
        return images
    scale = before / side_px
    starts, cells = torch.arange(side_px).view(-1, 1) * scale, torch.arange(before).view(1, -1)
    covered = (torch.minimum(starts + scale, cells + 1) - torch.maximum(starts, cells)).clamp(
        min=0
    ) / scale
    return covered @ images @ covered.T


def luma(images: Tensor) -> Tensor:
    """Grey, in three equal channels (ITU-R BT.601, as in OpenCV)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def _blur(images: Tensor) -> Tensor:
    """A kernel of 1/4, 1/2, 1/4, vertically and then horizontally."""
    for size, axis in ((images.shape[2], 2), (images.shape[3], 3)):
        before, after = (torch.arange(size).add(step).clamp(0, size - 1) for step in (-1, 1))
        images = (images.index_select(axis, before) + images.index_select(axis, after)).div(
            4
        ) + images / 2
    return images
