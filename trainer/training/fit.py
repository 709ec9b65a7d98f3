"""Run a training to its end: validate, save, stop early, calibrate."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from trainer.augmentation.copy_paste import CutMasks
from trainer.data.labelled_images import LabelledImages
from trainer.evaluation.calibration import temperature_for
from trainer.networks.architectures import Mirrored
from trainer.training import distributed
from trainer.training.checkpoint import Trained, save_atomically
from trainer.training.predict import logits_of
from trainer.training.progress import OnProgress, TrainingProgress
from trainer.training.recipe import Recipe
from trainer.training.training import Training

#: How often a training validates, saves its state and decides whether to stop.
_VALIDATIONS = 20
#: Between validations, progress is reported every so many steps.
_REPORTED_STEPS = 50


def fit(
    train: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    on_progress: OnProgress,
    *,
    teachers: Sequence[Trained] = (),
    masks: CutMasks | None = None,
    start: nn.Module | None = None,
    state_path: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train on ``train``, kept larger than the network's input; ``validation`` has the input size.

    Training starts from the weights of ``start``, a network of the recipe's shape, or from random
    ones. It saves its state at ``state_path`` at every validation; with ``resume`` it continues
    from there. The result has the last weights; if training stopped early or the recipe says so,
    those of the best validation loss.

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
        samples = training.step * recipe.batch
        if _validation_is_due(training):
            validated = _validate(training.averaged.module, validation)
            training.record_validation(validated[0])
            training.seconds = before_s + time.monotonic() - begun_s
            on_progress(TrainingProgress(samples, loss, accuracy, *validated))
            if state_path is not None and training.rank == 0:
                save_atomically(training.state(), state_path)
            stopped = distributed.broadcast_decision(
                decision=_should_stop(training), world_size=training.world_size
            )
        elif training.step % _REPORTED_STEPS == 0:
            on_progress(TrainingProgress(samples, loss, accuracy))
    network = _result(training, best=stopped or recipe.keep_best)
    logits = logits_of(network, validation.pixels).numpy()
    temperature = temperature_for(logits, validation.labels)
    return Trained(network, recipe, temperature, before_s + time.monotonic() - begun_s)


def _validation_is_due(training: Training) -> bool:
    done, before = training.step, training.step - 1
    return done * _VALIDATIONS // training.steps > before * _VALIDATIONS // training.steps


def _should_stop(training: Training) -> bool:
    too_long = training.validations_since_best >= training.recipe.patience
    return too_long and training.step < training.steps


def _result(training: Training, *, best: bool) -> nn.Module:
    # Contiguous, as a restored checkpoint is: both then export to the same bytes.
    # torch's types lack this overload of `to`.
    averaged = training.averaged.module.eval()
    network = averaged.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if best:
        network.load_state_dict(training.best_state)
    return Mirrored(network).eval() if training.recipe.mirror else network


def _validate(network: nn.Module, validation: LabelledImages) -> tuple[float, float]:
    """The loss and the accuracy."""
    labels = torch.from_numpy(validation.labels)
    logits = logits_of(network.eval(), validation.pixels)
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return float(functional.cross_entropy(logits, labels)), accuracy
