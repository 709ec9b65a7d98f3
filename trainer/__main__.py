"""``python -m trainer {train,evaluate,export}``: the composition root."""

import argparse
import datetime as dt
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from contract import logs
from contract.card import InputShape
from contract.errors import ConfigurationError, ModelError
from contract.exit_codes import ExitCode
from contract.model import Model
from trainer.data import LabelledImages, find, load, require_both_classes
from trainer.evaluate import measures, p_mask_of

if TYPE_CHECKING:
    from trainer.fit import Trained

#: Pictures are kept this much larger than the network's input, for the augmentation to cut from.
_KEPT_SIZE = 1.43
#: Of a hundred groups of look-alikes, those that validate.
_VALIDATION_SHARE = 6

log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("trainer")
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ConfigurationError as error:
        log.error("trainer.bad_configuration", error=str(error))  # noqa: TRY400  (the message says it all)
        return ExitCode.BAD_CONFIGURATION
    except ModelError as error:
        log.error("trainer.bad_model", error=str(error))  # noqa: TRY400
        return ExitCode.BAD_MODEL
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Train, export and evaluate mask classifiers.")
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="train on folders of images")
    train.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        metavar="DIR",
        help="holds WithMask/ and WithoutMask/ somewhere below; repeatable",
    )
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets checkpoint.pt, model.onnx, model.json, CARD.md")
    train.add_argument(
        "--favour", type=_factor, action="append", default=[], metavar="SOURCE=FACTOR", help="let a source weigh more; repeatable"
    )
    train.set_defaults(run=_train)
    for name, default in _recipe_defaults().items():
        train.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help="default: %(default)s")
    export = commands.add_parser("export", help="write a checkpoint as ONNX, with its card")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    export.set_defaults(run=_export)
    evaluate = commands.add_parser("evaluate", help="measure a model file on a folder of images")
    evaluate.add_argument("--model", type=Path, required=True)
    evaluate.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _recipe_defaults() -> dict[str, Any]:
    from trainer.fit import Recipe  # noqa: PLC0415  (torch takes seconds to import)

    return {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}


def _factor(text: str) -> tuple[str, float]:
    source, _, factor = text.rpartition("=")
    if not source or float(factor) <= 0:
        raise ValueError
    return source, float(factor)


def _train(arguments: argparse.Namespace) -> int:
    from trainer.fit import Recipe, fit, save  # noqa: PLC0415  (torch takes seconds to import)

    recipe = Recipe(**{name: getattr(arguments, name) for name in _recipe_defaults()}, favour=dict(arguments.favour))
    files = find(arguments.data)
    require_both_classes(files)
    kept = InputShape(round(recipe.side_px * _KEPT_SIZE), round(recipe.side_px * _KEPT_SIZE), 3)
    images = load(files, kept)
    validates = np.asarray([int(group[:8], 16) % 100 < _VALIDATION_SHARE for group in images.groups])
    if len(set(images.labels[validates])) < 2:  # noqa: PLR2004  (two classes)
        validates = np.arange(len(images.labels)) % 10 == 0  # too few to hold look-alikes together
    train = images.subset(~validates, kept)
    validation = images.subset(validates, InputShape(recipe.side_px, recipe.side_px, recipe.channels))
    log.info("training.started", images=len(train.labels), validation=len(validation.labels), skipped=images.skipped)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with _progress(recipe.samples) as tell:
        trained = fit(train, validation, recipe, tell)
    facts = _facts(images, trained)
    path = arguments.out / "model.onnx"
    model = _write(trained, facts, path)
    facts["metrics"] = {
        f"validation_{name}": value
        for name, value in measures(p_mask_of(model, validation.pixels), validation.labels, model.card).items()
        if isinstance(value, float)
    }
    save(trained, arguments.out / "checkpoint.pt", facts)
    model = _write(trained, facts, path)
    log.info(
        "training.done",
        seconds=round(trained.seconds),
        temperature=round(trained.temperature, 3),
        model=model.card.name,
        **facts["metrics"],
    )
    return ExitCode.OK


def _facts(images: LabelledImages, trained: "Trained") -> dict[str, Any]:
    """What the card says of a training besides its recipe."""
    counts = Counter(zip(images.sources, images.labels.tolist(), strict=True))
    return {
        "trained_at": dt.datetime.now(dt.UTC).date().isoformat(),
        "data_sha256": images.sha256,
        "metrics": {},
        "sources": {name: {"mask": counts[name, 1], "no_mask": counts[name, 0]} for name in sorted(set(images.sources))},
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "samples": trained.recipe.samples,
        "seed": trained.recipe.seed,
        "seconds": trained.seconds,
    }


def _write(trained: "Trained", facts: dict[str, Any], path: Path) -> Model:
    from trainer.export import export  # noqa: PLC0415  (torch takes seconds to import)

    return export(trained, facts, path)


def _export(arguments: argparse.Namespace) -> int:
    from trainer.fit import restore  # noqa: PLC0415  (torch takes seconds to import)

    trained, facts = restore(arguments.checkpoint)
    model = _write(trained, facts, arguments.out)
    log.info("export.done", file=str(arguments.out), model=model.card.name, sha256=model.sha256, bytes=arguments.out.stat().st_size)
    return ExitCode.OK


def _evaluate(arguments: argparse.Namespace) -> int:
    model = Model.load(arguments.model)
    images = load(find(arguments.data), model.card.input)
    p_mask = p_mask_of(model, images.pixels)
    result = {**measures(p_mask, images.labels, model.card), "skipped": images.skipped, "model": model.card.name}
    if arguments.json:
        print(json.dumps(result))
        return ExitCode.OK
    table = Table(
        "source", "n", "accuracy", "precision", "recall", "auc", "coverage", "decided accuracy", "decided precision", "decided recall"
    )
    for source in (*sorted(set(images.sources)), "all"):
        chosen = np.asarray([source in (name, "all") for name in images.sources])
        table.add_row(source, *_cells(measures(p_mask[chosen], images.labels[chosen], model.card)))
    Console().print(table)
    if images.skipped:
        print(f"{images.skipped} files skipped: named above")
    return ExitCode.OK


def _cells(row: dict[str, Any]) -> list[str]:
    decided = row["decided"]
    values = [
        row["accuracy"],
        row["precision"],
        row["recall"],
        row["auc"],
        *(decided[k] for k in ("coverage", "accuracy", "precision", "recall")),
    ]
    return [str(row["n"]), *("–" if value is None else f"{value:.4f}" for value in values)]


@contextmanager
def _progress(samples: int) -> Iterator[Callable[[int, float, float], None]]:
    """A bar on a terminal, a log line every tenth elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.3f}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("training", total=samples, loss=0.0, accuracy=0.0)
            yield lambda seen, loss, accuracy: bar.update(task, completed=seen, loss=loss, accuracy=accuracy)
        return
    told = 0

    def tell(seen: int, loss: float, accuracy: float) -> None:
        nonlocal told
        if seen * 10 // samples > told:
            told = seen * 10 // samples
            log.info("training.step", samples=seen, of=samples, loss=round(loss, 4), accuracy=round(accuracy, 4))

    yield tell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
