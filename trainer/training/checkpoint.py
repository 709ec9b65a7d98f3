"""Checkpoints: a trained network with its recipe, the facts for its card and images to export with.

The names of the fields in the file are those of ``_saved``; files of earlier versions have the
same ones, and in "facts" some more, which are ignored.
"""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec
import torch
from torch import nn

from maskgate.protocol.errors import ConfigurationError
from trainer.networks.architectures import Mirrored, build
from trainer.training.facts import ExportImages, TrainingFacts
from trainer.training.recipe import Recipe

#: What torch.load and the use of its result raise if a file is damaged or is something else.
UNREADABLE = (
    OSError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    EOFError,
    UnpicklingError,
    msgspec.ValidationError,
)
_IMAGE_FIELDS = fields(ExportImages)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with averaged weights and the temperature that calibrates it."""

    network: nn.Module
    recipe: Recipe
    temperature: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that an export needs."""

    trained: Trained
    facts: TrainingFacts
    images: ExportImages


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write beside ``path`` and rename: a process that is killed meanwhile keeps the old file.

    ``state`` is what torch saves: tensors, numbers and texts in dicts and lists.
    """
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint."""
    save_atomically(_saved(checkpoint), path)


def restore(path: Path) -> Checkpoint:
    """Read a checkpoint; its network is in evaluation mode.

    Raises:
        ConfigurationError: it can't be read or is not a checkpoint.
    """
    try:
        saved = torch.load(path, weights_only=True)
        recipe = replace(Recipe(), **saved["recipe"])
        network = build(recipe.network, recipe.channels, recipe.side_px, recipe.width)
        network = Mirrored(network) if recipe.mirror else network
        network.load_state_dict(saved["state"])
        tensors = saved["facts"]["checking"]
        return Checkpoint(
            Trained(network.eval(), recipe, saved["temperature"], 0.0),
            msgspec.convert(saved["facts"], TrainingFacts),
            ExportImages(**{field.name: tensors[field.name].numpy() for field in _IMAGE_FIELDS}),
        )
    except UNREADABLE as error:
        msg = f"not a trainer checkpoint: {path}: {str(error).splitlines()[0]}"
        raise ConfigurationError(msg) from None


def starting_weights(path: Path | None, recipe: Recipe) -> nn.Module | None:
    """The network of a checkpoint, for a training of this recipe to start from; None without path.

    Raises:
        ConfigurationError: the checkpoint can't be read, or its network has another shape.
    """
    if path is None:
        return None
    trained = restore(path).trained
    for name in ("network", "width", "side_px", "channels"):
        has, wanted = getattr(trained.recipe, name), getattr(recipe, name)
        if has != wanted:
            msg = f"can't start from {path}: its {name} is {has}, not {wanted}"
            raise ConfigurationError(msg)
    return trained.network.network if isinstance(trained.network, Mirrored) else trained.network


def _saved(checkpoint: Checkpoint) -> dict[str, Any]:
    tensors = {
        field.name: torch.from_numpy(getattr(checkpoint.images, field.name))
        for field in _IMAGE_FIELDS
    }
    return {
        "state": checkpoint.trained.network.state_dict(),
        "recipe": asdict(checkpoint.trained.recipe),
        "temperature": checkpoint.trained.temperature,
        "facts": {**msgspec.to_builtins(checkpoint.facts), "checking": tensors},
    }
