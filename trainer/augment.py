"""Training pictures as a door's cameras would have seen them: light, pose, framing, occlusion, resolution, blur, noise, grey.

All on whole batches: float tensors of shape (n, 3, height, width), 0 to 1.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


class Augmentation:
    """Draws from its own generator, so that a seed repeats a training.

    ``strength`` scales geometry and light; 1 is what generalised best at a small budget.
    """

    def __init__(self, side_px: int, seed: int, strength: float = 1.0) -> None:
        self._side_px = side_px
        self._strength = strength
        self._random = torch.Generator().manual_seed(seed)

    def __call__(self, batch: Tensor) -> Tensor:
        """Augment uint8 (n, height, width, 3) into float (n, 3, side_px, side_px), -1 to 1 as ``contract.preprocess`` has it."""
        images = batch.permute(0, 3, 1, 2).float() / 255
        images = self._frame(images)
        images = self._occlude(images)
        images = self._light(images)
        images = self._blur(images)
        images = self._resolution(images)
        images = images + torch.randn(images.shape, generator=self._random) * self._some(images, 0.4) * self._uniform(images, 0, 0.06)
        images = torch.where(self._some(images, 0.25) > 0, _luma(images), images)
        return images.clamp(0, 1) * 2 - 1

    def _uniform(self, like: Tensor, low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((len(like), *(shape or (1, 1, 1))), generator=self._random) * (high - low) + low

    def _some(self, like: Tensor, share: float) -> Tensor:
        return (torch.rand((len(like), 1, 1, 1), generator=self._random) < share).float()

    def _frame(self, images: Tensor) -> Tensor:
        """Mirror, rotate, zoom, stretch, shift and tilt: one resampling for all."""
        s = self._strength
        angle = self._uniform(images, -1, 1).flatten() * math.radians(20) * s * self._some(images, 0.7).flatten()
        zoom = torch.exp(self._uniform(images, -0.22, 0.25).flatten() * s)
        stretch = torch.exp(self._uniform(images, -0.12, 0.12).flatten() * s)
        mirror = torch.where(self._uniform(images, 0, 1).flatten() < 0.5, -1.0, 1.0)  # noqa: PLR2004  (half of them)
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        shift = self._uniform(images, -0.12, 0.12, 2) * s
        theta = torch.stack((
            torch.stack((cos * stretch * mirror, -sin, shift[:, 0]), 1),
            torch.stack((sin * mirror, cos / stretch, shift[:, 1]), 1),
        ), 1)  # fmt: skip
        # Twice the size, then averaged: the shrinking that contract.preprocess does by area.
        side = self._side_px * 2
        grid = functional.affine_grid(theta, [len(images), 3, side, side], align_corners=False)
        tilt = self._uniform(images, -0.15, 0.15, 1, 2) * s
        depth = 1 + (grid * tilt.unsqueeze(1)).sum(-1, keepdim=True)
        sampled = functional.grid_sample(images, grid / depth, mode="bilinear", padding_mode="reflection", align_corners=False)
        return functional.avg_pool2d(sampled, 2)

    def _occlude(self, images: Tensor) -> Tensor:
        """A rectangle of one colour somewhere, on some: hands, scarves, hair, other heads."""
        side = images.shape[-1]
        at = torch.arange(side).float()
        centre, half = self._uniform(images, 0, side, 2), self._uniform(images, side * 0.05, side * 0.18, 2)
        rows = ((at - centre[:, :1]).abs() < half[:, :1]).float().view(-1, 1, side, 1)
        columns = ((at - centre[:, 1:]).abs() < half[:, 1:]).float().view(-1, 1, 1, side)
        covered = rows * columns * self._some(images, 0.2)
        return images * (1 - covered) + self._uniform(images, 0, 1, 3, 1, 1) * covered

    def _light(self, images: Tensor) -> Tensor:
        """Gamma, contrast, brightness, colour cast and a shadow from one side."""
        s = self._strength
        images = images.clamp(1e-4, 1) ** torch.exp(self._uniform(images, -0.5, 0.5) * s)
        images = (images - 0.5) * self._uniform(images, 1 - 0.35 * s, 1 + 0.3 * s) + 0.5 + self._uniform(images, -0.12, 0.12) * s
        images = images * torch.exp(self._uniform(images, -0.12, 0.12, 3, 1, 1) * s)
        ramp = torch.linspace(-1, 1, images.shape[-1])
        direction = self._uniform(images, -1, 1, 2, 1, 1)
        shadow = direction[:, :1] * ramp.view(1, 1, 1, -1) + direction[:, 1:] * ramp.view(1, 1, -1, 1)
        return (images * (1 + 0.35 * s * shadow * self._some(images, 0.5))).clamp(0, 1)

    def _blur(self, images: Tensor) -> Tensor:
        """Out of focus or moving: a small horizontal, vertical or round average, mixed in by a random share."""
        kernels = torch.zeros(3, 1, 3, 3)
        kernels[0, 0, 1] = kernels[1, 0, :, 1] = 1 / 3
        kernels[2, 0] = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
        kernel = kernels[int(torch.randint(3, (1,), generator=self._random))].expand(3, 1, 3, 3)
        blurred = functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
        return torch.lerp(images, blurred, self._some(images, 0.4) * self._uniform(images, 0, 1))

    def _resolution(self, images: Tensor) -> Tensor:
        """A quarter of them from so few pixels that they were enlarged: down to 12."""
        few = max(1, len(images) // 8)
        side = images.shape[-1]
        for start in (0, few):
            low = int(torch.randint(side * 3 // 7, side, (1,), generator=self._random))
            part = functional.interpolate(images[start : start + few], size=(low, low), mode="area")
            back = functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)
            images = torch.cat((images[:start], back, images[start + few :]))
        return images


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)
