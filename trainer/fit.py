"""Training: balanced sampling, one cycle of AdamW, an average of the weights; repeatable from its seed."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from contract.errors import ConfigurationError
from contract.preprocess import normalise
from trainer.augment import Augmentation
from trainer.data import LabelledImages
from trainer.networks import NETWORKS


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; every field is a command-line option."""

    network: str = "vgg"
    side_px: int = 28  # more resolution was measured to be worth nothing, colour much
    channels: int = 3
    samples: int = 1_000_000  # augmented pictures seen in all; 400 s on two cores
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05  # some labels are wrong
    ema_decay: float = 0.998
    strength: float = 1.0
    seed: int = 0
    threads: int = 2
    favour: Mapping[str, float] = field(default_factory=dict)  # how much more a source weighs than its size says


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with averaged weights and the temperature that calibrates it."""

    network: nn.Module
    recipe: Recipe
    temperature: float
    seconds: float


def sampling_weights(images: LabelledImages, favour: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Half masks, half bare faces; within a class a source weighs as the square root of its size: none drowns the others.

    ``favour`` multiplies the weight of some sources.
    """
    keys = list(zip(images.sources, images.labels.tolist(), strict=True))
    counts = Counter(keys)
    weights = np.asarray([counts[key] ** -0.5 * favour.get(key[0], 1.0) for key in keys])
    for label in (0, 1):
        weights[images.labels == label] /= 2 * weights[images.labels == label].sum()
    return weights


def fit(train: LabelledImages, validation: LabelledImages, recipe: Recipe, tell: Callable[[int, float, float], None]) -> Trained:
    """Train on pictures kept larger than the network's input; ``tell`` hears samples seen, loss and accuracy as it goes.

    Raises:
        ConfigurationError: there is no such network.
    """
    if recipe.network not in NETWORKS:
        msg = f"no network {recipe.network!r}; there are {', '.join(NETWORKS)}"
        raise ConfigurationError(msg)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    begun_s = time.monotonic()
    random = np.random.default_rng(recipe.seed)
    weights = sampling_weights(train, recipe.favour)
    augmentation = Augmentation(recipe.side_px, recipe.seed, recipe.strength)
    network = NETWORKS[recipe.network](recipe.channels)
    average = get_ema_multi_avg_fn(recipe.ema_decay)  # type: ignore[no-untyped-call]  # torch has no types here
    averaged = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    steps = max(1, recipe.samples // recipe.batch)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.15)
    order = random.choice(len(weights), size=steps * recipe.batch, p=weights)
    pixels, labels = torch.from_numpy(train.pixels), torch.from_numpy(train.labels)
    network.train()
    for step in range(steps):
        chosen = torch.from_numpy(order[step * recipe.batch : (step + 1) * recipe.batch])
        target = labels[chosen]
        with torch.no_grad():
            batch = augmentation(pixels[chosen])
            batch = batch if recipe.channels > 1 else batch.mean(1, keepdim=True)
        logits = network(batch)
        loss = functional.cross_entropy(logits, target, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # nor here
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        if step % 50 == 0 or step == steps - 1:
            right = float((logits.detach().argmax(1) == target).float().mean())
            tell((step + 1) * recipe.batch, float(loss.detach()), right)
    final = averaged.module.eval()
    temperature = calibrate(logits_of(final, validation.pixels), torch.from_numpy(validation.labels))
    return Trained(final, recipe, temperature, time.monotonic() - begun_s)


def logits_of(network: nn.Module, reduced: npt.NDArray[np.uint8]) -> Tensor:
    """Logits (n, 2) for pictures at the network's input size."""
    with torch.inference_mode():
        return torch.cat([network(torch.from_numpy(normalise(reduced[i : i + 512]))) for i in range(0, len(reduced), 512)])


def calibrate(logits: Tensor, labels: Tensor) -> float:
    """The temperature with the least log loss (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Never below 1: validation pictures are easier than a door's, they may not make the network surer of itself.
    """
    candidates = torch.logspace(0, 1, 100)
    losses = torch.stack([functional.cross_entropy(logits / t, labels) for t in candidates])
    return float(candidates[losses.argmin()])


def save(trained: Trained, path: Path, facts: dict[str, Any]) -> None:
    """Write a checkpoint: weights, recipe, and what the card will say of the data."""
    state = trained.network.state_dict()
    torch.save({"state": state, "recipe": asdict(trained.recipe), "temperature": trained.temperature, "facts": facts}, path)


def restore(path: Path) -> tuple[Trained, dict[str, Any]]:
    """Read a checkpoint.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        saved = torch.load(path, weights_only=True)
        recipe = Recipe(**saved["recipe"])
        network = NETWORKS[recipe.network](recipe.channels)
        network.load_state_dict(saved["state"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        msg = f"no checkpoint of ours: {path}: {error}"
        raise ConfigurationError(msg) from None
    return Trained(network.eval(), recipe, saved["temperature"], 0.0), saved["facts"]
