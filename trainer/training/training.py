"""One training under way: balanced sampling, AdamW in one cycle, averaged weights, distillation.

A seed repeats a training exactly, and a saved state resumes it exactly.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from maskgate.protocol.errors import ConfigurationError
from trainer.augmentation.augment import Augmentation, AugmentationOptions
from trainer.augmentation.copy_paste import CutMasks
from trainer.augmentation.shrink import shrink
from trainer.data.labelled_images import LabelledImages
from trainer.networks.architectures import NETWORKS, build
from trainer.networks.pretrained import load_public_weights
from trainer.training import distributed
from trainer.training.checkpoint import UNREADABLE, Trained
from trainer.training.recipe import Recipe
from trainer.training.sampling import sampling_weights
from trainer.training.teachers import Teachers

#: Weights are averaged over at most this part (a twentieth) of a training.
_AVERAGED_PARTS = 20
_WARM_UP = 0.15


class Training:
    """A training under way: networks, optimiser and the state of every random generator.

    ``masks`` were cut from the training images; ``start`` is a network of the recipe's shape whose
    weights are copied.

    Raises:
        ConfigurationError: there is no network of the recipe's name.
    """

    def __init__(
        self,
        train: LabelledImages,
        recipe: Recipe,
        teachers: Sequence[Trained] = (),
        *,
        masks: CutMasks | None = None,
        start: nn.Module | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.recipe, self._teachers = recipe, Teachers(teachers)
        self.rank, self.world_size = distributed.join_process_group()
        self.network = _initial_network(recipe, start)
        self._parallel = distributed.data_parallel(self.network, self.world_size)
        self.steps = max(1, recipe.samples // recipe.batch)
        self.averaged = _averaged(self.network, recipe, self.steps)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, recipe.learning_rate, total_steps=self.steps, pct_start=_WARM_UP
        )
        # Teachers see an image at their own input size, the network sees it reduced further.
        self.augmentation = Augmentation(
            max(recipe.side_px, self._teachers.side_px),
            recipe.seed + self.rank,
            augmentation_options(recipe),
            None if masks is None else masks.rgba,
        )
        self._pixels, self._labels = torch.from_numpy(train.pixels), torch.from_numpy(train.labels)
        self._can_be_pasted = torch.tensor(
            [masks is not None and source in masks.sources for source in train.sources]
        )
        self._tight = torch.tensor([source in recipe.tight for source in train.sources])
        weights = sampling_weights(train, recipe.favour, self._masked_share())
        self._order = np.random.default_rng(recipe.seed).choice(
            len(weights), size=self.steps * recipe.batch, p=weights
        )
        self.step, self.seconds = 0, 0.0
        self.best_loss, self.best_state = float("inf"), self.averaged.module.state_dict()
        self.validations_since_best = 0

    def advance(self) -> tuple[float, float]:
        """Train on one batch; its loss and accuracy."""
        images, target = self._next_batch()
        channels = self.recipe.channels
        student_input = shrink(
            self.augmentation.for_student(images)[:, :channels], self.recipe.side_px
        )
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=_bfloat16_is_fast()):
            teacher_probabilities = self._teachers.teacher_probabilities(images[:, :channels])
            batch = student_input.contiguous(memory_format=torch.channels_last)
            logits = self._parallel(batch).float()
        loss = self._loss(logits, target, teacher_probabilities)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        return float(loss.detach()), float((logits.detach().argmax(1) == target).float().mean())

    def record_validation(self, validation_loss: float) -> None:
        """Remember the weights if this validation loss is the best so far."""
        self.validations_since_best += 1
        if validation_loss < self.best_loss:
            self.best_loss, self.validations_since_best = validation_loss, 0
            self.best_state = {
                name: value.clone() for name, value in self.averaged.module.state_dict().items()
            }

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`resume` needs, as torch saves it."""
        schedule = self.schedule.state_dict().items()
        return {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": {k: v for k, v in schedule if isinstance(v, int | float | list)},
            "augmentation": self.augmentation.random.get_state(),
            "torch": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
            "best": (self.best_loss, self.best_state, self.validations_since_best),
        }

    def resume(self, path: Path) -> None:
        """Continue from a file with :meth:`state`.

        Raises:
            ConfigurationError: it can't be read, or was saved by a training with another recipe.
        """
        try:
            saved = torch.load(path, weights_only=True)
            if differing := _differing_options(saved["recipe"], self.recipe):
                msg = f"can't resume {path}: its recipe differs in {', '.join(differing)}"
                raise ConfigurationError(msg)
            self.network.load_state_dict(saved["network"])
            self.averaged.load_state_dict(saved["averaged"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.schedule.load_state_dict(saved["schedule"])
            self.augmentation.random.set_state(saved["augmentation"])
            torch.set_rng_state(saved["torch"])
            self.step, self.seconds = saved["step"], saved["seconds"]
            self.best_loss, self.best_state, self.validations_since_best = saved["best"]
        except UNREADABLE as error:
            msg = f"can't resume {path}: {str(error).splitlines()[0]}"
            raise ConfigurationError(msg) from None

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """This process's part of the next batch, augmented, and its labels."""
        batch = self.recipe.batch
        positions = self._order[self.step * batch : (self.step + 1) * batch]
        chosen = torch.from_numpy(positions[self.rank :: self.world_size])
        return self.augmentation(
            self._pixels[chosen],
            self._labels[chosen],
            self._tight[chosen],
            self._can_be_pasted[chosen],
        )

    def _loss(self, logits: Tensor, target: Tensor, teacher_probabilities: Tensor | None) -> Tensor:
        smoothing = self.recipe.label_smoothing
        loss = functional.cross_entropy(logits, target, label_smoothing=smoothing)
        if teacher_probabilities is None:
            return loss
        distillation = functional.cross_entropy(logits, teacher_probabilities)
        return torch.lerp(loss, distillation, self.recipe.distil)

    def _masked_share(self) -> npt.NDArray[np.float64]:
        """For each image, the share of draws in which augmentation puts a mask on it, (n,)."""
        not_pasted = np.where(self._can_be_pasted, 1 - self.recipe.cut_masks, 1)
        not_drawn = np.where(self._tight, 1 - self.recipe.synthetic_masks, 1)
        return np.asarray(1 - not_pasted * not_drawn, np.float64)


def augmentation_options(recipe: Recipe) -> AugmentationOptions:
    """Those of a recipe; every image of a grey network is grey."""
    return AugmentationOptions(
        geometry=recipe.geometry,
        light=recipe.light,
        damage=recipe.damage,
        occluders=recipe.occluders,
        fewest_px=recipe.fewest_px,
        grey=recipe.grey if recipe.channels > 1 else 1.0,
        synthetic_masks=recipe.synthetic_masks,
        cut_masks=recipe.cut_masks,
    )


def _initial_network(recipe: Recipe, start: nn.Module | None) -> nn.Module:
    if recipe.network not in NETWORKS:
        msg = f"no network {recipe.network!r}; there are {', '.join(NETWORKS)}"
        raise ConfigurationError(msg)
    network = build(recipe.network, recipe.channels, recipe.side_px, recipe.width)
    if start is not None:
        network.load_state_dict(start.state_dict())
    elif recipe.pretrained:
        load_public_weights(network, recipe.network)
    # torch's types lack this overload of `to`.
    fast: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return fast


def _averaged(network: nn.Module, recipe: Recipe, steps: int) -> AveragedModel:
    """An exponential moving average; in a short training it forgets the beginning faster."""
    decay = max(0.0, min(recipe.ema_decay, 1 - _AVERAGED_PARTS / steps))
    # torch has no types for this function.
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)


def _differing_options(saved: dict[str, Any], recipe: Recipe) -> list[str]:
    wanted = asdict(recipe)
    if saved == wanted:
        return []
    return sorted(name for name, value in wanted.items() if saved.get(name) != value)


def _bfloat16_is_fast() -> bool:
    """Whether this processor multiplies in bfloat16: training is then 1.4 to 1.9 times as fast."""
    # torch has no public function for this.
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001
