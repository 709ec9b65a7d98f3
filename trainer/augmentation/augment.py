"""Augmentation: change training images as a door's cameras would.

Framing, pose, occlusion, light, blur, resolution, JPEG, noise, grey. Every step works on a batch,
float (n, 3, height, width) from 0 to 1, and changes a random part of it, so that it costs no more
than what it changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor

from maskgate.inference.image import Pixels
from trainer.augmentation import effects
from trainer.augmentation.copy_paste import paste_masks
from trainer.augmentation.framing import frame
from trainer.augmentation.occluders import OCCLUDERS
from trainer.augmentation.synthetic_masks import wear_masks

#: Changes a batch (n, 3, height, width), 0 to 1.
Effect = Callable[[Tensor, Generator], Tensor]


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
        options = self._options
        images = frame(batch.numpy(), self.random, side_px=self._side_px, strength=options.geometry)
        damage = options.damage
        changes: tuple[tuple[float, Effect], ...] = (
            (1.0, partial(effects.light, strength=options.light)),
            (0.4, partial(effects.side_shadow, strength=options.light)),
            (0.08 * damage, effects.glare),
            (0.25 * damage, effects.soften),
            (0.12 * damage, effects.motion),
            (0.25 * damage, partial(effects.few_pixels, fewest_px=options.fewest_px)),
            (0.1 * damage, effects.jpeg),
            (0.4 * damage, effects.noise),
            (options.grey, lambda batch, _: effects.luma(batch)),
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
            seen = self._on_some(seen, 0.1 * self._options.occluders, occluder)
        lit = partial(effects.coloured_light, strength=self._options.light)
        return self._on_some(seen, 0.2 if self._options.grey < 1 else 0, lit) * 2 - 1

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

    def _on_some(self, images: Tensor, share: float, change: Effect) -> Tensor:
        if share >= 1:
            return change(images, self.random)
        chosen = torch.rand(len(images), generator=self.random) < share
        if not chosen.any():
            return images
        return images.index_put((chosen,), change(images[chosen], self.random))
