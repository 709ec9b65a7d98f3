"""Checkpoints: weights, recipe and what a card says of the data; also the state of a training under way."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from maskgate.protocol.errors import ConfigurationError
from trainer.networks.architectures import Mirrored, build
from trainer.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with averaged weights and the temperature that calibrates it."""

    network: nn.Module
    recipe: Recipe
    temperature: float
    seconds: float


def write_whole(state: dict[str, Any], path: Path) -> None:
    """Whole or not at all: a run that is killed while it saves keeps what it had."""
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def save(trained: Trained, path: Path, facts: dict[str, Any]) -> None:
    """Write a checkpoint: weights, recipe, and what the card will say of the data."""
    state = trained.network.state_dict()
    write_whole(
        {
            "state": state,
            "recipe": asdict(trained.recipe),
            "temperature": trained.temperature,
            "facts": facts,
        },
        path,
    )


def restore(path: Path) -> tuple[Trained, dict[str, Any]]:
    """Read a checkpoint.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        saved = torch.load(path, weights_only=True)
        recipe = replace(Recipe(), **saved["recipe"])
        network = build(recipe.network, recipe.channels, recipe.side_px, recipe.width)
        network = Mirrored(network) if recipe.mirror else network
        network.load_state_dict(saved["state"])
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        UnpicklingError,
    ) as error:
        msg = f"no checkpoint of ours: {path}: {str(error).splitlines()[0]}"
        raise ConfigurationError(msg) from None
    return Trained(network.eval(), recipe, saved["temperature"], 0.0), saved["facts"]
