"""How a training goes: a bar on a terminal, a log line every tenth elsewhere, and TensorBoard's events beside the results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from trainer.training.fit import Look

log = structlog.get_logger()


@contextmanager
def progress(samples: int, events: Path | None) -> Iterator[Callable[[Look], None]]:
    """What hears each :class:`Look`; several trainings after each other count up to ``samples`` together."""
    writer = None if events is None else SummaryWriter(str(events))
    begun, last = 0, 0

    def overall(look: Look) -> int:
        nonlocal begun, last
        begun += last if look.samples < last else 0
        last = look.samples
        return begun + last

    try:
        with _shown(samples) as show:

            def tell(look: Look) -> None:
                show(overall(look), look)
                if writer is not None:
                    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
                        if (value := getattr(look, name)) is not None:
                            writer.add_scalar(name, value, look.samples)

            yield tell
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _shown(samples: int) -> Iterator[Callable[[int, Look], None]]:
    console = Console(stderr=True)
    if console.is_terminal:
        text = "loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.3f}  validation {task.fields[validation]:.3f}"
        with Progress(TextColumn(text), BarColumn(), TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("training", total=samples, loss=0.0, accuracy=0.0, validation=0.0)
            validation = 0.0

            def show(seen: int, look: Look) -> None:
                nonlocal validation
                validation = look.validation_accuracy or validation
                bar.update(
                    task,
                    completed=seen,
                    loss=look.loss,
                    accuracy=look.accuracy,
                    validation=validation,
                )

            yield show
        return
    told = 0

    def write(seen: int, look: Look) -> None:
        nonlocal told
        if look.validation_loss is not None and seen * 10 // samples > told:
            told = seen * 10 // samples
            facts = {
                name: round(getattr(look, name), 4)
                for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")
            }
            log.info("training.step", samples=seen, of=samples, **facts)

    yield write
