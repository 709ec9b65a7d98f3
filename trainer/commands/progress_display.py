"""Show the progress of a training: a bar on a terminal, else log lines; and TensorBoard events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from trainer.training.progress import OnProgress, TrainingProgress

_VALUES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
_BAR_TEXT = (
    "loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.3f}  "
    "validation {task.fields[validation]:.3f}"
)

log = structlog.get_logger()


@contextmanager
def show_progress(samples: int, events: Path | None = None) -> Iterator[OnProgress]:
    """Show the progress of one or more trainings of ``samples`` samples together.

    Yields the function that a training calls. ``events`` is a folder for TensorBoard.
    """
    writer = None if events is None else SummaryWriter(str(events))
    before, last = 0, 0

    def overall(progress: TrainingProgress) -> int:
        nonlocal before, last
        before += last if progress.samples < last else 0  # the next training has started
        last = progress.samples
        return before + last

    try:
        with _display(samples) as show:

            def on_progress(progress: TrainingProgress) -> None:
                show(overall(progress), progress)
                if writer is not None:
                    _write_events(writer, progress)

            yield on_progress
    finally:
        if writer is not None:
            writer.close()


def _write_events(writer: SummaryWriter, progress: TrainingProgress) -> None:
    for name in _VALUES:
        if (value := getattr(progress, name)) is not None:
            writer.add_scalar(name, value, progress.samples)


@contextmanager
def _display(samples: int) -> Iterator[Callable[[int, TrainingProgress], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_every_tenth(samples)
        return
    columns = (TextColumn(_BAR_TEXT), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=samples, loss=0.0, accuracy=0.0, validation=0.0)
        validation = 0.0

        def show(seen: int, progress: TrainingProgress) -> None:
            nonlocal validation
            validation = progress.validation_accuracy or validation
            bar.update(
                task,
                completed=seen,
                loss=progress.loss,
                accuracy=progress.accuracy,
                validation=validation,
            )

        yield show


def _log_every_tenth(samples: int) -> Callable[[int, TrainingProgress], None]:
    logged_tenths = 0

    def write(seen: int, progress: TrainingProgress) -> None:
        nonlocal logged_tenths
        if progress.validation_loss is not None and seen * 10 // samples > logged_tenths:
            logged_tenths = seen * 10 // samples
            values = {name: round(getattr(progress, name), 4) for name in _VALUES}
            log.info("training.step", samples=seen, of=samples, **values)

    return write
