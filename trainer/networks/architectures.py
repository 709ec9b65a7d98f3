"""The networks, by name. Each takes (n, channels, height, width) float32 and gives (n, 2) logits: no_mask, mask.

``width`` scales the channels of every layer: ``python -m trainer size`` shows the cost.
Batch normalisation folds into the convolutions at export.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.networks.lite import lite


def _wide(channels: int, width: float) -> int:
    """Multiples of 8: what onnxruntime's kernels work in."""
    return max(8, round(channels * width / 8) * 8)


def _conv(before: int, after: int, stride: int = 1, kernel: int = 3) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
    ]


def _separable(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    depthwise = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
    return [depthwise, nn.BatchNorm2d(before), *_conv(before, after, kernel=1)]


def _average_and_decide(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(channels, 2)]


class Block(nn.Module):
    """Two layers and a shortcut around them: a 1 × 1 convolution where the shape changes."""

    def __init__(
        self,
        layer: Callable[[int, int, int], list[nn.Module]],
        before: int,
        after: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *layer(before, after, stride), nn.ReLU(inplace=True), *layer(after, after, 1)
        )
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(before, after, stride, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The sum of both ways, rectified."""
        return torch.relu(self.body(images) + self.shortcut(images))


def _vgg(repeats: Sequence[int], channels: int, width: float) -> nn.Module:
    layers: list[nn.Module] = []
    before = channels
    for repeat, after in zip(repeats, (16, 32, 64, 128, 128), strict=True):
        for _ in range(repeat):
            layers += [*_conv(before, _wide(after, width)), nn.ReLU(inplace=True)]
            before = _wide(after, width)
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers, *_average_and_decide(before))


def vgg16(channels: int, width: float = 1.0) -> nn.Module:
    """The thirteen convolutions of VGG16 (Simonyan and Zisserman, 2014, table 1, D), a quarter as wide, with one layer to decide."""
    return _vgg((2, 2, 3, 3, 3), channels, width)


def vgg19(channels: int, width: float = 1.0) -> nn.Module:
    """The sixteen convolutions of VGG19 (the same table, E), a quarter as wide, with one layer to decide."""
    return _vgg((2, 2, 4, 4, 4), channels, width)


def residual(channels: int, width: float = 1.0) -> nn.Module:
    """VGG's 3 × 3 pairs with shortcuts around them (He et al., 2015); wide where the picture is small."""
    first, second, third = (_wide(n, width) for n in (32, 64, 96))
    blocks = (Block(_conv, first, second, 2), Block(_conv, second, third, 2))
    return nn.Sequential(
        *_conv(channels, first, 2), nn.ReLU(inplace=True), *blocks, *_average_and_decide(third)
    )


class MeanAndMaximum(nn.Module):
    """Both poolings over the whole picture, (n, 2 × channels): a face may fill it or be a small part of it."""

    def forward(self, images: Tensor) -> Tensor:
        """The means, then the maxima."""
        return torch.cat(
            (functional.adaptive_avg_pool2d(images, 1), functional.adaptive_max_pool2d(images, 1)),
            1,
        ).flatten(1)


def deep(channels: int, width: float = 1.0) -> nn.Module:
    """The residual network without its first stride, and with a block more: a teacher, or a judge where cost does not count."""
    first, second, third = (_wide(n, width) for n in (16, 32, 64))
    blocks = (
        Block(_conv, first, second, 2),
        Block(_conv, second, third, 2),
        Block(_conv, third, third, 1),
    )
    stem = (*_conv(channels, first), nn.ReLU(inplace=True))
    return nn.Sequential(*stem, *blocks, MeanAndMaximum(), nn.Dropout(0.1), nn.Linear(2 * third, 2))


def xception(channels: int, width: float = 1.0) -> nn.Module:
    """Depthwise separable convolutions with shortcuts, after Xception (Chollet, 2016)."""
    first, second, third = (_wide(n, width) for n in (32, 64, 128))
    blocks = (
        Block(_separable, first, second, 1),
        Block(_separable, second, third, 2),
        Block(_separable, third, third, 1),
    )
    return nn.Sequential(
        *_conv(channels, first, 2), nn.ReLU(inplace=True), *blocks, *_average_and_decide(third)
    )


def notebook(channels: int, width: float = 1.0) -> nn.Module:
    """The published notebook's CNN, the baseline: at width 1, one channel and 28 × 28 px it has 224,002 parameters."""
    first, second, hidden = (_wide(n, width) for n in (32, 64, 128))
    convolutions = [
        nn.Conv2d(channels, first, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
    return nn.Sequential(
        *convolutions, nn.Flatten(), nn.LazyLinear(hidden), nn.ReLU(), nn.Linear(hidden, 2)
    )


class Mirrored(nn.Module):
    """A trained network that is asked about the mirrored picture too: the mean of both answers, at twice the cost."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits, averaged over both sides."""
        both: Tensor = self.network(torch.cat((images, images.flip(3))))
        return both.view(2, -1, both.shape[1]).mean(0)


NETWORKS: dict[str, Callable[[int, float], nn.Module]] = {
    "vgg16": vgg16,
    "vgg19": vgg19,
    "residual": residual,
    "deep": deep,
    "xception": xception,
    "notebook": notebook,
    "lite0": lite,
}


def build(name: str, channels: int, side_px: int, width: float = 1.0) -> nn.Module:
    """A network of random weights for ``channels`` × ``side_px`` × ``side_px`` inputs.

    Raises:
        KeyError: there is none of that name in ``NETWORKS``.
    """
    network = NETWORKS[name](channels, width)
    network(torch.zeros(2, channels, side_px, side_px))  # gives lazy layers their shapes
    return network
