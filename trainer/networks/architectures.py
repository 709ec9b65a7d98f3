"""The networks, by name: (n, channels, height, width) float32 in, logits (n, 2) out.

The logits are no_mask, mask.
``width`` scales the channels of every layer; ``python -m trainer size`` shows the cost. The export
folds batch normalisation into the convolutions.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.networks.lite import lite


def _scaled(channels: int, width: float) -> int:
    """The scaled number of channels, a multiple of 8 as onnxruntime's kernels want it."""
    return max(8, round(channels * width / 8) * 8)


def _conv(before: int, after: int, stride: int = 1, kernel: int = 3) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
    ]


def _separable(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    depthwise = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
    return [depthwise, nn.BatchNorm2d(before), *_conv(before, after, kernel=1)]


def _pool_and_classify(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(channels, 2)]


class Block(nn.Module):
    """Two layers with a shortcut, which is a 1 × 1 convolution if the shape changes."""

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
        """The sum of layers and shortcut, after ReLU."""
        return torch.relu(self.body(images) + self.shortcut(images))


def _vgg(repeats: Sequence[int], channels: int, width: float) -> nn.Module:
    layers: list[nn.Module] = []
    before = channels
    for repeat, after in zip(repeats, (16, 32, 64, 128, 128), strict=True):
        for _ in range(repeat):
            layers += [*_conv(before, _scaled(after, width)), nn.ReLU(inplace=True)]
            before = _scaled(after, width)
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers, *_pool_and_classify(before))


def vgg16(channels: int, width: float = 1.0) -> nn.Module:
    """VGG16 with a quarter of the channels and one dense layer.

    Simonyan and Zisserman, 2014, table 1, column D.
    """
    return _vgg((2, 2, 3, 3, 3), channels, width)


def vgg19(channels: int, width: float = 1.0) -> nn.Module:
    """VGG19 with a quarter of the channels and one dense layer.

    Simonyan and Zisserman, 2014, table 1, column E.
    """
    return _vgg((2, 2, 4, 4, 4), channels, width)


def residual(channels: int, width: float = 1.0) -> nn.Module:
    """Pairs of 3 × 3 convolutions with shortcuts (He et al., 2015), wider at low resolution."""
    first, second, third = (_scaled(n, width) for n in (32, 64, 96))
    blocks = (Block(_conv, first, second, 2), Block(_conv, second, third, 2))
    return nn.Sequential(
        *_conv(channels, first, 2), nn.ReLU(inplace=True), *blocks, *_pool_and_classify(third)
    )


class MeanAndMaximum(nn.Module):
    """Global average and maximum pooling, (n, 2 × channels).

    A face may fill the image or a small part of it.
    """

    def forward(self, images: Tensor) -> Tensor:
        """The means, then the maxima."""
        return torch.cat(
            (functional.adaptive_avg_pool2d(images, 1), functional.adaptive_max_pool2d(images, 1)),
            1,
        ).flatten(1)


def deep(channels: int, width: float = 1.0) -> nn.Module:
    """The residual network with one more block and without its first stride: a costly teacher."""
    first, second, third = (_scaled(n, width) for n in (16, 32, 64))
    blocks = (
        Block(_conv, first, second, 2),
        Block(_conv, second, third, 2),
        Block(_conv, third, third, 1),
    )
    stem = (*_conv(channels, first), nn.ReLU(inplace=True))
    return nn.Sequential(*stem, *blocks, MeanAndMaximum(), nn.Dropout(0.1), nn.Linear(2 * third, 2))


def xception(channels: int, width: float = 1.0) -> nn.Module:
    """Depthwise separable convolutions with shortcuts, as in Xception (Chollet, 2016)."""
    first, second, third = (_scaled(n, width) for n in (32, 64, 128))
    blocks = (
        Block(_separable, first, second, 1),
        Block(_separable, second, third, 2),
        Block(_separable, third, third, 1),
    )
    return nn.Sequential(
        *_conv(channels, first, 2), nn.ReLU(inplace=True), *blocks, *_pool_and_classify(third)
    )


def notebook(channels: int, width: float = 1.0) -> nn.Module:
    """The published notebook's CNN, the baseline.

    At width 1, one channel and 28 × 28 px it has 224,002 parameters.
    """
    first, second, hidden = (_scaled(n, width) for n in (32, 64, 128))
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
    """A network whose logits are averaged over an image and its mirror image, at twice the cost."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The averaged logits, (n, 2)."""
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


def count_parameters(network: nn.Module) -> int:
    """The number of trained weights."""
    return sum(parameter.numel() for parameter in network.parameters())


def build(name: str, channels: int, side_px: int, width: float = 1.0) -> nn.Module:
    """A network with random weights for inputs of ``channels`` × ``side_px`` × ``side_px``.

    Raises:
        KeyError: ``NETWORKS`` has no such name.
    """
    network = NETWORKS[name](channels, width)
    network(torch.zeros(2, channels, side_px, side_px))  # gives lazy layers their shapes
    return network
