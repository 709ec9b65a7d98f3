"""What commands start from: pictures in their groups, the weights to begin with, and what a card says of a training."""

import argparse
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from maskgate.protocol.errors import ConfigurationError
from trainer.data.groups import group
from trainer.data.labelled_images import LabelledImages, find, load, require_both_classes
from trainer.export.model_file import Checking
from trainer.networks.architectures import Mirrored
from trainer.networks.pretrained import began_with
from trainer.training.checkpoint import Trained, restore
from trainer.training.recipe import Recipe, input_shape, kept_shape

#: Pictures that int8's ranges are measured on.
_CALIBRATION = 512


def grouped_images(
    arguments: argparse.Namespace, recipe: Recipe, also: Sequence[Path] = ()
) -> tuple[LabelledImages, npt.NDArray[np.int64]]:
    """All pictures below ``--data`` and ``also``, and the group of each."""
    files = find(arguments.data)
    require_both_classes(files)
    images = load([*files, *find(also)], kept_shape(recipe))
    return images, group(images.fingerprints, images.labels)


def checking_of(training: LabelledImages, checked: LabelledImages, recipe: Recipe) -> Checking:
    """What an export is checked with."""
    some = np.zeros(len(training.labels), bool)
    some[np.random.default_rng(0).permutation(len(some))[:_CALIBRATION]] = True
    return Checking(
        training.subset(some, input_shape(recipe)).pixels, checked.pixels, checked.labels
    )


def facts_of(
    images: LabelledImages, trained: Trained, checking: Checking, teachers: int
) -> dict[str, Any]:
    """What the card says of a training besides its recipe, and what exporting it again needs, as tensors."""
    counts = Counter(zip(images.sources, images.labels.tolist(), strict=True))
    return {
        "trained_at": dt.datetime.now(dt.UTC).date().isoformat(),
        "data_sha256": images.sha256,
        "metrics": {},
        "sources": {
            name: {"mask": counts[name, 1], "no_mask": counts[name, 0]}
            for name in sorted(set(images.sources))
        },
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "samples": trained.recipe.samples,
        "teachers": teachers,
        "seed": trained.recipe.seed,
        "began": began_with(trained.recipe.network)
        if trained.recipe.pretrained
        else "random weights",
        "seconds": trained.seconds,
        "checking": {
            name: torch.from_numpy(getattr(checking, name))
            for name in ("calibration", "pixels", "labels")
        },
    }


def starting_weights(path: Path | None, recipe: Recipe) -> nn.Module | None:
    """The weights that a training of this recipe begins with."""
    if path is None:
        return None
    trained = restore(path)[0]
    for name in ("network", "width", "side_px", "channels"):
        has, wanted = getattr(trained.recipe, name), getattr(recipe, name)
        if has != wanted:
            msg = f"can't start from {path}: its {name} is {has}, not {wanted}"
            raise ConfigurationError(msg)
    return trained.network.network if isinstance(trained.network, Mirrored) else trained.network
