"""Objects in front of a face that are not masks.

Each function takes a batch (n, 3, height, width), 0 to 1, and a random generator.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from trainer.augmentation.draws import uniform

#: Skin from light to dark, RGB.
_SKINS = (
    (0.94, 0.80, 0.70),
    (0.85, 0.66, 0.53),
    (0.68, 0.49, 0.36),
    (0.45, 0.31, 0.23),
    (0.29, 0.20, 0.15),
)


def _axes(images: Tensor) -> tuple[Tensor, Tensor]:
    x = torch.linspace(-1, 1, images.shape[-1]).view(1, 1, 1, -1)
    y = torch.linspace(-1, 1, images.shape[-2]).view(1, 1, -1, 1)
    return x, y


def _cover(images: Tensor, inside: Tensor, colour: Tensor) -> Tensor:
    """Cover what is above 0 in ``inside`` (n, 1, height, width), with an edge of one pixel."""
    return torch.lerp(images, colour.expand_as(images), torch.sigmoid(inside * images.shape[-1]))


def patch(images: Tensor, random: torch.Generator) -> Tensor:
    """A rectangle of one colour at a random place (random erasing; Zhong et al., 2017)."""
    x, y = _axes(images)
    half_x, half_y = uniform(images, random, 0.1, 0.36), uniform(images, random, 0.1, 0.36)
    across = half_x - (x - uniform(images, random, -1, 1)).abs()
    down = half_y - (y - uniform(images, random, -1, 1)).abs()
    return _cover(
        images,
        torch.minimum(across.expand_as(images[:, :1]), down.expand_as(images[:, :1])),
        uniform(images, random, 0, 1, 3, 1, 1),
    )


def hand(images: Tensor, random: torch.Generator) -> Tensor:
    """A skin-coloured ellipse from the side or from below, on a cheek, the chin or the mouth."""
    x, y = _axes(images)
    skins = torch.tensor(_SKINS)[torch.randint(len(_SKINS), (len(images),), generator=random)].view(
        -1, 3, 1, 1
    )
    side = torch.where(uniform(images, random, 0, 1) < 0.5, -1.0, 1.0)
    from_side = (x - side * uniform(images, random, 0.2, 0.9)) / uniform(images, random, 0.2, 0.45)
    from_below = (y - uniform(images, random, 0.2, 1)) / uniform(images, random, 0.2, 0.4)
    light = skins * uniform(images, random, 0.7, 1.1) * (1 + 0.15 * x * side)
    return _cover(images, 1 - from_side**2 - from_below**2, light.clamp(0, 1))


def sunglasses(images: Tensor, random: torch.Generator) -> Tensor:
    """Two dark lenses, or one bar, at the height of the eyes."""
    x, y = _axes(images)
    eyes_y, apart = uniform(images, random, -0.35, 0.0), uniform(images, random, 0.2, 0.4)
    lens_x, lens_y = uniform(images, random, 0.15, 0.35), uniform(images, random, 0.1, 0.22)
    inside = 1 - ((x.abs() - apart) / lens_x) ** 2 - ((y - eyes_y) / lens_y) ** 2
    return _cover(images, inside, uniform(images, random, 0, 0.25, 3, 1, 1))


def cap(images: Tensor, random: torch.Generator) -> Tensor:
    """A hat, a helmet or a hood: everything above a slanted line."""
    x, y = _axes(images)
    edge = (
        uniform(images, random, -0.8, -0.35) + x * uniform(images, random, -0.2, 0.2) + 0.1 * x**2
    )
    return _cover(images, edge - y, uniform(images, random, 0, 1, 3, 1, 1))


def scarf(images: Tensor, random: torch.Generator) -> Tensor:
    """A collar or scarf below the chin, striped or plain; the mouth stays visible."""
    x, y = _axes(images)
    edge = uniform(images, random, 0.72, 0.95) + x * uniform(images, random, -0.15, 0.15)
    stripes = torch.sin((x + y) * uniform(images, random, 3, 25)) * uniform(images, random, 0, 0.3)
    return _cover(images, y - edge, (uniform(images, random, 0, 1, 3, 1, 1) + stripes).clamp(0, 1))


OCCLUDERS: tuple[Callable[[Tensor, torch.Generator], Tensor], ...] = (
    patch,
    hand,
    sunglasses,
    cap,
    scarf,
)
