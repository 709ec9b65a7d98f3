"""EfficientNet-Lite (Tan and Le, "EfficientNet", 2019; the Lite variants: tensorflow/tpu, 2020).

Inverted residuals with ReLU6 and without squeeze-and-excitation: fast on CPUs and in 8-bit
integers. Inputs are -1 to 1, as ``maskgate.inference.preprocess`` makes them. Padding is the same
on both sides; TensorFlow's has one pixel more at the end.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Of each stage: repeats, kernel, stride, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280
#: For up to so many pixels, a matrix product is faster than a convolution.
_FEW_PIXELS = 16
_EPSILON = 1e-3  # of the published weights' batch normalisation


class Depthwise(nn.Conv2d):
    """A convolution with one filter for each channel.

    For inputs of a few pixels, training computes the same as a matrix product: torch's gradient of
    a 5 × 5 filter on 2 × 2 px is several times slower.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False
        )

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, height, width), reduced by the stride."""
        count, channels, height, width = images.shape
        if not self.training or height * width > _FEW_PIXELS:
            return super().forward(images)
        taps = _taps(height, width, self.kernel_size[0], self.stride[0])
        padded = functional.pad(self.weight.flatten(1), (0, 1))
        matrices = padded[:, taps.flatten()].view(channels, *taps.shape)
        mixed = torch.bmm(images.flatten(2).transpose(0, 1), matrices).transpose(0, 1)
        return mixed.reshape(
            count, channels, -(-height // self.stride[0]), -(-width // self.stride[0])
        )


@cache
def _taps(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """The index of the filter weight from each input pixel to each output pixel, (before, after).

    Where there is none, the index is one behind the last weight.
    """
    y, x = (torch.arange(size) for size in (height, width))
    down = y.view(-1, 1) - y[::stride].view(1, -1) + kernel // 2
    across = x.view(-1, 1) - x[::stride].view(1, -1) + kernel // 2
    down, across = down.view(height, 1, -1, 1), across.view(1, width, 1, -1)
    inside = (down >= 0) & (down < kernel) & (across >= 0) & (across < kernel)
    taps = torch.where(inside, down * kernel + across, kernel * kernel)
    return taps.reshape(height * width, -1)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut if input and output have one shape.

    Sandler et al., "MobileNetV2", 2018.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        expand = _layer(before, inner, 1) if expansion > 1 else []
        filtered = [Depthwise(inner, kernel, stride), *_normalised(inner)]
        self.body = nn.Sequential(*expand, *filtered, *_layer(inner, after, 1)[:-1])
        self.shortcut = before == after and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        """The projection, plus the input if the shapes are equal."""
        out: Tensor = self.body(images)
        return images + out if self.shortcut else out


def lite(channels: int, width: float = 1.0) -> nn.Module:
    """EfficientNet-Lite0 with two classes.

    ``width`` scales the stages; stem and head keep their size, as in the published variants.
    """
    layers, before = _layer(channels, _STEM, 3, 2), _STEM
    for repeats, kernel, stride, expansion, wanted in _STAGES:
        after = max(8, round(wanted * width / 8) * 8)
        for i in range(repeats):
            layers.append(
                InvertedResidual(before, after, kernel, stride if i == 0 else 1, expansion)
            )
            before = after
    layers += [
        *_layer(before, _HEAD, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(_HEAD, 2),
    ]
    return nn.Sequential(*layers)


def _layer(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), *_normalised(after)]


def _normalised(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels, _EPSILON), nn.ReLU6(inplace=True)]
