"""Training pictures as a door's cameras would have seen them: framing, pose, occlusion, light, blur, resolution, JPEG, noise, grey.

All on whole batches: float tensors of shape (n, 3, height, width), 0 to 1. Each step takes a random part of the batch and leaves the rest
as it is, so that its cost is that of what it changes.
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

#: Lengths of blur and motion were chosen at this size.
_REFERENCE_PX = 28
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True)
class World:
    """How different from the training pictures the door's will be; 1 is what generalised best at a small budget."""

    geometry: float = 1.0  # scales how far framing and pose stray
    light: float = 1.0  # scales how far brightness and colour stray
    damage: float = 1.0  # scales how many pictures are blurred, noisy, of few pixels, …
    occluders: float = 1.0  # scales how many have something drawn over them that is no mask
    fewest_px: int = 12  # a side of the smallest pictures that are enlarged again
    grey: float = 0.25  # of the pictures lose their colour
    synthetic_masks: float = 0.0  # of the bare faces that fill their picture are given a drawn one, and the label that goes with it
    cut_masks: float = (
        0.0  # of the bare faces from sources that masks were cut from are given one of those
    )


class Augmentation:
    """Draws from its own generator, so that a seed repeats a training."""

    def __init__(
        self, side_px: int, seed: int, world: World | None = None, masks: Pixels | None = None
    ) -> None:
        self._side_px = side_px
        self._world = world or World()
        self._masks = masks
        self.random = torch.Generator().manual_seed(seed)

    def __call__(
        self, batch: Tensor, labels: Tensor, tight: Tensor, cut: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Augment uint8 (n, height, width, 3) into float (n, 3, side_px, side_px), -1 to 1 as ``maskgate.inference.preprocess`` has it.

        ``labels`` (n,) is 1 for a mask; ``tight`` (n,) says whose face fills the picture, so that a mask can be drawn on it; ``cut`` (n,)
        who may wear one that was cut from another picture.
        Returns the pictures and their labels.
        """
        if self._world.synthetic_masks:
            wears = (
                (labels == 0)
                & tight
                & (torch.rand(len(labels), generator=self.random) < self._world.synthetic_masks)
            )
            if wears.any():
                masked = wear_masks(batch[wears].permute(0, 3, 1, 2).float() / 255, self.random)
                batch = batch.index_put((wears,), (masked * 255).round().byte().permute(0, 2, 3, 1))
                labels = torch.where(wears, 1, labels)
        if self._masks is not None and len(self._masks) and self._world.cut_masks:
            wears = (
                (labels == 0)
                & cut
                & (torch.rand(len(labels), generator=self.random) < self._world.cut_masks)
            )
            if wears.any():
                pasted = paste_masks(batch[wears].numpy(), self._masks, self.random)
                batch = batch.index_put((wears,), torch.from_numpy(pasted))
                labels = torch.where(wears, 1, labels)
        images = self._frame(batch.numpy())
        damage = self._world.damage
        changes: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
            (1.0, self._light),
            (0.4, self._side_shadow),
            (0.08 * damage, self._glare),
            (0.25 * damage, self._soften),
            (0.12 * damage, self._motion),
            (0.25 * damage, self._few_pixels),
            (0.1 * damage, self._jpeg),
            (0.4 * damage, self._noise),
            (self._world.grey, luma),
        )
        for share, change in changes:
            images = self._on_some(images, share, change)
        return images.clamp(0, 1) * 2 - 1, labels

    def hinder(self, images: Tensor) -> Tensor:
        """What the network sees and its teachers do not: something before the face, coloured light; float (n, 3, height, width), -1 to 1.

        Teachers had better see neither: what they say of a patch on a bare face or of a yellow mask is wrong. Grey worlds have no colours.
        """
        seen = images / 2 + 0.5
        for occluder in OCCLUDERS:
            seen = self._on_some(
                seen, 0.1 * self._world.occluders, partial(_with, self.random, occluder)
            )
        return self._on_some(seen * 2 - 1, 0.2 if self._world.grey < 1 else 0, self._lamp)

    def _lamp(self, images: Tensor) -> Tensor:
        warm = self._uniform(images, 0, 1.1)
        gain = torch.cat(
            (torch.zeros_like(warm), -warm * self._uniform(images, 0.1, 0.5), -warm), 1
        )
        cold = self._uniform(images, 0, 1) < 0.25
        gain = torch.where(cold, gain.flip(1) / 2, gain)
        return ((images + 1) * torch.exp(gain * self._world.light)).clamp(0, 2) - 1

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
        """Mirror, rotate, zoom, stretch, shift and tilt: one resampling for all, at twice the size and then averaged as serving does."""
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
        """Matrices (count, 3, 3) from a pixel of the doubled output to one of the picture it is taken from."""
        s = self._world.geometry

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
        # Both pictures run from -1 to 1; pixel centres lie half a pixel inside.
        unit = 1 / self._side_px
        into = np.array([[unit, 0, unit / 2 - 1], [0, unit, unit / 2 - 1], [0, 0, 1]])
        half = kept_px / 2
        out = np.array([[half, 0, half - 0.5], [0, half, half - 0.5], [0, 0, 1]])
        return np.asarray(out @ view @ into)

    def _light(self, images: Tensor) -> Tensor:
        """Gamma, contrast, brightness and colour cast."""
        s = self._world.light
        images = images.clamp(1e-3, 1) ** torch.exp(self._uniform(images, -0.5, 0.5) * s)
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * torch.exp(self._uniform(images, -0.4, 0.35) * s) + mean
        images = images * torch.exp(self._uniform(images, -0.35, 0.3) * s)
        return (images * torch.exp(self._uniform(images, -0.14, 0.14, 3, 1, 1) * s)).clamp(0, 1)

    def _side_shadow(self, images: Tensor) -> Tensor:
        """Light from one side: a slope of brightness, soft or with an edge."""
        ramp = torch.linspace(-1, 1, images.shape[-1])
        direction = self._uniform(images, -1, 1, 2, 1, 1)
        slope = direction[:, :1] * ramp.view(1, 1, 1, -1) + direction[:, 1:] * ramp.view(
            1, 1, -1, 1
        )
        slope = torch.tanh(slope * self._uniform(images, 0.7, 4))
        return (images * (1 + 0.45 * self._world.light * slope)).clamp(0, 1)

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
        """Out of focus: a round average, mixed in by a random share, once or twice."""
        once = self._repeated_blur(images)
        further = torch.where(self._uniform(images, 0, 1) < 0.5, once, self._repeated_blur(once))
        return torch.lerp(images, further, self._uniform(images, 0, 1))

    def _repeated_blur(self, images: Tensor) -> Tensor:
        """As wide in a large picture as one blur is in 28 px: repeated, a blur widens with the square root."""
        for _ in range(round((self._side_px / _REFERENCE_PX) ** 2) or 1):
            images = _blur(images)
        return images

    def _motion(self, images: Tensor) -> Tensor:
        """Moving: an average along a line of up to five pixels of 28, in one direction for the part at hand."""
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
        """From so few pixels that they were enlarged; as many of half the size as of the whole."""
        side, fewest = images.shape[-1], self._world.fewest_px
        low = round(fewest * (side / fewest) ** float(torch.rand(1, generator=self.random)))
        part = functional.interpolate(images, size=(low, low), mode="area")
        return functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)

    def _jpeg(self, images: Tensor) -> Tensor:
        """Brightness as a bad encoder leaves it, quality 15 to 70. Colour stays: at this size an encoder would halve it."""
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
        """A sensor's: more in the dark, some of it in colour."""
        amount = self._uniform(images, 0, 0.07)
        grains = torch.randn(images.shape, generator=self.random)
        one = torch.randn((len(images), 1, *images.shape[2:]), generator=self.random)
        return images + amount * torch.lerp(grains, one.expand_as(images), 0.5) * 1.3 * (
            1.2 - images.clamp(0, 1)
        )


def _with(
    random: torch.Generator, occluder: Callable[[Tensor, torch.Generator], Tensor], images: Tensor
) -> Tensor:
    return occluder(images, random)


def shrink(images: Tensor, side_px: int) -> Tensor:
    """Square pictures (n, channels, height, width) reduced to ``side_px`` by area, as OpenCV's INTER_AREA does it."""
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
    """Grey, in three equal channels (ITU-R BT.601, as OpenCV has it)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def _blur(images: Tensor) -> Tensor:
    """A quarter, a half, a quarter: down, then across."""
    for size, axis in ((images.shape[2], 2), (images.shape[3], 3)):
        before, after = (torch.arange(size).add(step).clamp(0, size - 1) for step in (-1, 1))
        images = (images.index_select(axis, before) + images.index_select(axis, after)).div(
            4
        ) + images / 2
    return images
