"""Effects on a batch: light, shadow, blur, few pixels, JPEG, noise, grey.

Each takes float (n, 3, height, width), 0 to 1, and a random generator; the result may leave that
range a little.
"""

import math

import cv2
import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from trainer.augmentation.draws import uniform

#: The lengths of blur and motion were chosen at this image size.
_REFERENCE_PX = 28


def light(images: Tensor, random: Generator, strength: float) -> Tensor:
    """Gamma, contrast, brightness and colour cast."""
    s = strength
    images = images.clamp(1e-3, 1) ** torch.exp(uniform(images, random, -0.5, 0.5) * s)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * torch.exp(uniform(images, random, -0.4, 0.35) * s) + mean
    images = images * torch.exp(uniform(images, random, -0.35, 0.3) * s)
    return (images * torch.exp(uniform(images, random, -0.14, 0.14, 3, 1, 1) * s)).clamp(0, 1)


def side_shadow(images: Tensor, random: Generator, strength: float) -> Tensor:
    """Light from one side: a gradient of brightness, soft or with an edge."""
    ramp = torch.linspace(-1, 1, images.shape[-1])
    direction = uniform(images, random, -1, 1, 2, 1, 1)
    slope = direction[:, :1] * ramp.view(1, 1, 1, -1) + direction[:, 1:] * ramp.view(1, 1, -1, 1)
    slope = torch.tanh(slope * uniform(images, random, 0.7, 4))
    return (images * (1 + 0.45 * strength * slope)).clamp(0, 1)


def coloured_light(images: Tensor, random: Generator, strength: float) -> Tensor:
    """Warm light takes blue away, cold light (a quarter of the cases) takes red away."""
    warm = uniform(images, random, 0, 1.1)
    gain = torch.cat((torch.zeros_like(warm), -warm * uniform(images, random, 0.1, 0.5), -warm), 1)
    cold = uniform(images, random, 0, 1) < 0.25
    gain = torch.where(cold, gain.flip(1) / 2, gain)
    return (images * torch.exp(gain * strength)).clamp(0, 1)


def glare(images: Tensor, random: Generator) -> Tensor:
    """A bright, soft spot."""
    at = torch.linspace(-1, 1, images.shape[-1])
    centre = uniform(images, random, -1, 1, 2, 1, 1)
    distance = (at.view(1, 1, 1, -1) - centre[:, :1]) ** 2 + (
        at.view(1, 1, -1, 1) - centre[:, 1:]
    ) ** 2
    return images + (1 - images) * uniform(images, random, 0.2, 0.8) * torch.exp(
        -distance / uniform(images, random, 0.02, 0.4)
    )


def soften(images: Tensor, random: Generator) -> Tensor:
    """Out of focus: one or two blurs, mixed with the sharp image by a random share."""
    once = _repeated_blur(images)
    further = torch.where(uniform(images, random, 0, 1) < 0.5, once, _repeated_blur(once))
    return torch.lerp(images, further, uniform(images, random, 0, 1))


def motion(images: Tensor, random: Generator) -> Tensor:
    """Motion blur: an average along a line of up to 5 of 28 px, in one direction per call."""
    angle = float(torch.rand(1, generator=random)) * math.pi
    steps = (
        torch.linspace(-1, 1, 5) * float(torch.rand(1, generator=random)) * 2.5 * 2 / _REFERENCE_PX
    )
    theta = torch.eye(2, 3).repeat(len(steps), 1, 1)
    theta[:, 0, 2], theta[:, 1, 2] = steps * math.cos(angle), steps * math.sin(angle)
    grids = functional.affine_grid(theta, [len(steps), 3, *images.shape[-2:]], align_corners=False)
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


def few_pixels(images: Tensor, random: Generator, fewest_px: int) -> Tensor:
    """Reduced and enlarged again; the reduced side is log-uniform."""
    side, fewest = images.shape[-1], fewest_px
    low = round(fewest * (side / fewest) ** float(torch.rand(1, generator=random)))
    part = functional.interpolate(images, size=(low, low), mode="area")
    return functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)


def jpeg(images: Tensor, random: Generator) -> Tensor:
    """JPEG at quality 15 to 70, on brightness only.

    At this size, an encoder would halve the resolution of colour.
    """
    qualities = uniform(images, random, 15, 70).int().flatten().tolist()
    grey = luma(images)[:, 0].clamp(0, 1).mul(255).round()
    bodies = [
        cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, q])[1]
        for p, q in zip(grey.byte().numpy(), qualities, strict=True)
    ]
    decoded = np.stack([np.asarray(cv2.imdecode(body, cv2.IMREAD_GRAYSCALE)) for body in bodies])
    return images + ((torch.from_numpy(decoded) - grey) / 255).unsqueeze(1)


def noise(images: Tensor, random: Generator) -> Tensor:
    """Sensor noise: more in dark areas, partly coloured."""
    amount = uniform(images, random, 0, 0.07)
    grains = torch.randn(images.shape, generator=random)
    one = torch.randn((len(images), 1, *images.shape[2:]), generator=random)
    return images + amount * torch.lerp(grains, one.expand_as(images), 0.5) * 1.3 * (
        1.2 - images.clamp(0, 1)
    )


def luma(images: Tensor) -> Tensor:
    """Grey, in three equal channels (ITU-R BT.601, as in OpenCV)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def _repeated_blur(images: Tensor) -> Tensor:
    """As wide, relative to the image, as one blur at 28 px.

    The width of repeated blurs grows with the square root of their number.
    """
    for _ in range(round((images.shape[-1] / _REFERENCE_PX) ** 2) or 1):
        images = _blur(images)
    return images


def _blur(images: Tensor) -> Tensor:
    """A kernel of 1/4, 1/2, 1/4, vertically and then horizontally."""
    for size, axis in ((images.shape[2], 2), (images.shape[3], 3)):
        before, after = (torch.arange(size).add(step).clamp(0, size - 1) for step in (-1, 1))
        images = (images.index_select(axis, before) + images.index_select(axis, after)).div(
            4
        ) + images / 2
    return images
