"""Draw masks on unmasked faces: surgical, cloth and cup shapes in many colours and prints."""

import torch
from torch import Tensor

#: The usual colours, RGB: surgical blue, white, black, green, pink, grey, navy, red.
_COLOURS = (
    (0.55, 0.75, 0.88),
    (0.93, 0.94, 0.95),
    (0.10, 0.10, 0.12),
    (0.60, 0.80, 0.70),
    (0.93, 0.75, 0.80),
    (0.50, 0.50, 0.52),
    (0.13, 0.18, 0.35),
    (0.65, 0.15, 0.18),
)


def wear_masks(images: Tensor, random: torch.Generator) -> Tensor:
    """Draw a mask on each of (n, 3, height, width), 0 to 1.

    It covers nose to chin of a face that fills the image.
    """
    x = torch.linspace(-1, 1, images.shape[-1]).view(1, 1, 1, -1)
    y = torch.linspace(-1, 1, images.shape[-2]).view(1, 1, -1, 1)

    def between(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand((len(images), channels, 1, 1), generator=random) * (high - low) + low

    x = x - between(-0.12, 0.12)
    top, chin = between(-0.12, 0.12), between(0.75, 1.05)
    down = ((y - top) / (chin - top)).clamp(0, 1)
    half = between(0.55, 0.85) * (1 - between(0.2, 0.6) * down**2)
    upper_edge = y - top - between(0.05, 0.35) * x**2
    lower_edge = chin - y - between(0.0, 0.3) * x**2
    inside = torch.minimum(torch.minimum(upper_edge, lower_edge), half - x.abs())
    body = torch.sigmoid(inside * images.shape[-1] * 0.7)
    strap = (
        torch.sigmoid(
            (0.035 - (y - top - between(-0.25, 0.1) * (x.abs() - half)).abs()) * images.shape[-1]
        )
        * (x.abs() > half).float()
    )
    return torch.lerp(
        images,
        _cloth(images, x, y, random),
        torch.maximum(body, strap * (between(0, 1) < 0.5).float()),
    )


def _cloth(images: Tensor, x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
    """Coloured cloth, maybe printed or pleated, lit like the face below it."""
    n = len(images)

    def between(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand((n, channels, 1, 1), generator=random) * (high - low) + low

    usual = torch.tensor(_COLOURS)[torch.randint(len(_COLOURS), (n,), generator=random)].view(
        -1, 3, 1, 1
    )
    colour = torch.where(between(0, 1) < 0.7, usual + between(-0.06, 0.06, 3), between(0, 1, 3))
    pleats = 0.06 * torch.sin(y * between(12, 30)) * (between(0, 1) < 0.4).float()
    dots = (
        torch.sin(x * between(4, 30) + between(0, 6))
        * torch.sin(y * between(4, 30))
        * between(-0.5, 0.5, 3)
    )
    cloth = colour + pleats + dots * (between(0, 1) < 0.25).float()
    rounded = 1 - between(0.0, 0.3) * x**2 - between(0.0, 0.25) * y.clamp(min=0) ** 2
    grey = images.mean(1, keepdim=True)
    lit = torch.nn.functional.avg_pool2d(grey, 9, 1, 4, count_include_pad=False) / grey.mean(
        (2, 3), keepdim=True
    ).clamp(min=0.05)
    exposure = (grey.mean((2, 3), keepdim=True) * 2).clamp(0.3, 1.1)
    return (cloth * rounded * lit.clamp(0.5, 1.4) ** 0.7 * exposure).clamp(0, 1)
