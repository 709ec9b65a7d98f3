"""The networks, by name. Each takes (n, channels, height, width) float32 and gives (n, 2) logits: no_mask, mask."""

from collections.abc import Callable

from torch import nn


def vgg(channels: int) -> nn.Module:
    """Stacked 3 × 3 convolutions after VGG (Simonyan and Zisserman, 2014), with strides for pooling and one average at the end.

    Batch normalisation folds into the convolutions at export. Wide layers come late, where the picture is small: that, not the
    number of parameters, is what a crop costs on one core.
    """
    widths = ((channels, 16, 1), (16, 32, 2), (32, 64, 2), (64, 96, 1))
    layers: list[nn.Module] = []
    for before, after, stride in widths:
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(96, 2))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"vgg": vgg}
