"""Training: balanced sampling, one cycle of AdamW, an average of the weights, maybe teachers; repeatable from its seed and resumable."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from maskgate.inference.preprocess import normalise
from maskgate.protocol.errors import ConfigurationError
from trainer.augmentation.augment import Augmentation, World, shrink
from trainer.augmentation.copy_paste import CutMasks
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import temperature_for
from trainer.networks.architectures import NETWORKS, Mirrored, build
from trainer.networks.pretrained import load_public_weights
from trainer.training import distributed
from trainer.training.checkpoint import Trained, write_whole
from trainer.training.recipe import Recipe
from trainer.training.teachers import Teachers

#: A training is looked at this often: validation, checkpoint, whether to stop.
_LOOKS = 20
#: The weights are averaged over at most one of so many parts of a training.
_AVERAGED_PARTS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """How a training stands; ``validation_loss`` at every twentieth of it."""

    samples: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def sampling_weights(
    images: LabelledImages,
    favour: Mapping[str, float],
    become_masked: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Half masks, half bare faces; within a class a source weighs as the square root of its size: none drowns the others.

    ``favour`` multiplies the weight of some sources. ``become_masked`` (n,) is the share of each picture's visits that give it a mask: bare
    faces are drawn so much more often that half of what the network sees stays bare.
    """
    keys = list(zip(images.sources, images.labels.tolist(), strict=True))
    counts = Counter(keys)
    weights = np.asarray([counts[key] ** -0.5 * favour.get(key[0], 1.0) for key in keys])
    for label in (0, 1):
        weights[images.labels == label] /= weights[images.labels == label].sum()
    bare = images.labels == 0
    stay = 1.0 if become_masked is None else float((weights * (1 - become_masked))[bare].sum())
    share_bare = min(0.5 / stay, 0.8)
    weights[bare] *= share_bare
    weights[~bare] *= 1 - share_bare
    return weights


class Training:
    """A training under way: networks, optimiser and the state of every generator."""

    def __init__(
        self,
        train: LabelledImages,
        recipe: Recipe,
        teachers: Sequence[Trained] = (),
        *,
        masks: CutMasks | None = None,
        start: nn.Module | None = None,
    ) -> None:
        if recipe.network not in NETWORKS:
            msg = f"no network {recipe.network!r}; there are {', '.join(NETWORKS)}"
            raise ConfigurationError(msg)
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.recipe, self.teachers = recipe, Teachers(teachers)
        self.rank, self.world = distributed.join_process_group()
        self.network = build(recipe.network, recipe.channels, recipe.side_px, recipe.width)
        if start is not None:
            self.network.load_state_dict(start.state_dict())
        elif recipe.pretrained:
            load_public_weights(self.network, recipe.network)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch forgot it in its types
        self._parallel = distributed.data_parallel(self.network, self.world)
        self.steps = max(1, recipe.samples // recipe.batch)
        decay = max(0.0, min(recipe.ema_decay, 1 - _AVERAGED_PARTS / self.steps))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch has no types here
        self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        rate = recipe.learning_rate
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rate, total_steps=self.steps, pct_start=0.15
        )
        grey = recipe.grey if recipe.channels > 1 else 1.0
        world = World(
            recipe.geometry,
            recipe.light,
            recipe.damage,
            recipe.occluders,
            recipe.fewest_px,
            grey,
            recipe.synthetic_masks,
            recipe.cut_masks,
        )
        # Teachers see every picture as large as they want it, the network the same reduced further.
        seen_px = max(recipe.side_px, self.teachers.side_px)
        self.augmentation = Augmentation(
            seen_px, recipe.seed + self.rank, world, None if masks is None else masks.rgba
        )
        self._pixels, self._labels = torch.from_numpy(train.pixels), torch.from_numpy(train.labels)
        self._cut = torch.tensor(
            [masks is not None and source in masks.sources for source in train.sources]
        )
        self._tight = torch.tensor([source in recipe.tight for source in train.sources])
        stay_bare = np.where(self._cut, 1 - recipe.cut_masks, 1) * np.where(
            self._tight, 1 - recipe.synthetic_masks, 1
        )
        weights = sampling_weights(train, recipe.favour, 1 - stay_bare)
        self._order = np.random.default_rng(recipe.seed).choice(
            len(weights), size=self.steps * recipe.batch, p=weights
        )
        self.step, self.seconds = 0, 0.0
        self.best_loss, self.best_state, self.looks_since_best = (
            float("inf"),
            self.averaged.module.state_dict(),
            0,
        )

    def advance(self) -> tuple[float, float]:
        """One step; its loss and accuracy."""
        batch = self.recipe.batch
        chosen = torch.from_numpy(
            self._order[self.step * batch : (self.step + 1) * batch][self.rank :: self.world]
        )
        images, target = self.augmentation(
            self._pixels[chosen], self._labels[chosen], self._tight[chosen], self._cut[chosen]
        )
        seen = shrink(
            self.augmentation.hinder(images)[:, : self.recipe.channels], self.recipe.side_px
        )
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=_bfloat16_is_fast()):
            opinion = self.teachers.opinion(images[:, : self.recipe.channels])
            logits = self._parallel(seen.contiguous(memory_format=torch.channels_last)).float()
        loss = functional.cross_entropy(logits, target, label_smoothing=self.recipe.label_smoothing)
        if opinion is not None:
            loss = torch.lerp(loss, functional.cross_entropy(logits, opinion), self.recipe.distil)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # nor here
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        return float(loss.detach()), float((logits.detach().argmax(1) == target).float().mean())

    def note(self, validation_loss: float) -> None:
        """Remember the weights if they are the best so far."""
        self.looks_since_best += 1
        if validation_loss < self.best_loss:
            self.best_loss, self.looks_since_best = validation_loss, 0
            self.best_state = {
                name: value.clone() for name, value in self.averaged.module.state_dict().items()
            }

    def state(self) -> dict[str, Any]:
        """All that :meth:`resume` needs."""
        return {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": {
                k: v
                for k, v in self.schedule.state_dict().items()
                if isinstance(v, int | float | list)
            },
            "augmentation": self.augmentation.random.get_state(),
            "torch": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
            "best": (self.best_loss, self.best_state, self.looks_since_best),
        }

    def resume(self, path: Path) -> None:
        """Go on where :meth:`state` was saved.

        Raises:
            ConfigurationError: it can't be read, or was saved by a training with another recipe.
        """
        try:
            saved = torch.load(path, weights_only=True)
            if saved["recipe"] != asdict(self.recipe):
                differs = sorted(
                    key
                    for key, value in asdict(self.recipe).items()
                    if saved["recipe"].get(key) != value
                )
                msg = f"can't resume {path}: its recipe differs in {', '.join(differs)}"
                raise ConfigurationError(msg)
            self.network.load_state_dict(saved["network"])
            self.averaged.load_state_dict(saved["averaged"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.schedule.load_state_dict(saved["schedule"])
            self.augmentation.random.set_state(saved["augmentation"])
            torch.set_rng_state(saved["torch"])
            self.step, self.seconds = saved["step"], saved["seconds"]
            self.best_loss, self.best_state, self.looks_since_best = saved["best"]
        except (
            OSError,
            RuntimeError,
            KeyError,
            TypeError,
            ValueError,
            EOFError,
            UnpicklingError,
        ) as error:
            msg = f"can't resume {path}: {str(error).splitlines()[0]}"
            raise ConfigurationError(msg) from None


def fit(
    train: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    tell: Callable[[Look], None],
    *,
    teachers: Sequence[Trained] = (),
    masks: CutMasks | None = None,
    start: nn.Module | None = None,
    state_path: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train on pictures kept larger than the network's input; ``tell`` hears how it goes.

    ``start`` gives the weights to begin with, of a network of the same recipe's shape; without it they are random.
    With ``state_path`` the training is saved there at every look, and with ``resume`` goes on from there. The weights at the end of the
    cycle are kept; those of the best validation loss if it stopped early, or if the recipe says so.

    Raises:
        ConfigurationError: there is no such network, or the saved state is of another training.
    """
    training = Training(train, recipe, teachers, masks=masks, start=start)
    if resume and state_path is not None:
        training.resume(state_path)
    begun_s, before_s = time.monotonic(), training.seconds
    stopped = False
    while training.step < training.steps and not stopped:
        loss, accuracy = training.advance()
        last = training.step == training.steps
        if (
            training.step * _LOOKS // training.steps
            > (training.step - 1) * _LOOKS // training.steps
        ):
            validated = _validate(training.averaged.module, validation)
            training.note(validated[0])
            training.seconds = before_s + time.monotonic() - begun_s
            tell(Look(training.step * recipe.batch, loss, accuracy, *validated))
            if state_path is not None and training.rank == 0:
                write_whole(training.state(), state_path)
            stopped = distributed.broadcast_decision(
                training.looks_since_best >= recipe.patience and not last, training.world
            )
        elif training.step % 50 == 0:
            tell(Look(training.step * recipe.batch, loss, accuracy))
    # As a checkpoint gives it back: the exported file then is the same to the byte.
    final = training.averaged.module.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # see above
    if stopped or recipe.keep_best:
        final.load_state_dict(training.best_state)
    final = Mirrored(final).eval() if recipe.mirror else final
    temperature = temperature_for(logits_of(final, validation.pixels).numpy(), validation.labels)
    return Trained(final, recipe, temperature, before_s + time.monotonic() - begun_s)


def _validate(network: nn.Module, validation: LabelledImages) -> tuple[float, float]:
    labels = torch.from_numpy(validation.labels)
    logits = logits_of(network.eval(), validation.pixels)
    return float(functional.cross_entropy(logits, labels)), float(
        (logits.argmax(1) == labels).float().mean()
    )


def logits_of(network: nn.Module, reduced: npt.NDArray[np.uint8]) -> Tensor:
    """Logits (n, 2) for pictures at the network's input size."""
    with torch.inference_mode():
        return torch.cat(
            [
                network(torch.from_numpy(normalise(reduced[i : i + 512])))
                for i in range(0, len(reduced), 512)
            ]
        )


def p_mask_of_trained(trained: Trained, reduced: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Calibrated probabilities (n,) for pictures at the network's input size, by torch."""
    p_mask: npt.NDArray[np.float64] = torch.softmax(
        logits_of(trained.network, reduced).double() / trained.temperature, 1
    )[:, 1].numpy()
    return p_mask


def _bfloat16_is_fast() -> bool:
    """Whether this processor multiplies in bfloat16: 1.4 to 1.9 times the speed."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001  (torch has no public question for it)
