"""``python -m trainer COMMAND``: the composition root. ``--help`` lists the commands."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import structlog

from maskgate.protocol.errors import ConfigurationError, ModelError
from maskgate.runtime import logs
from maskgate.runtime.exit_codes import ExitCode
from trainer.commands import studies
from trainer.commands import training as commands
from trainer.evaluation.comparison import candidate, change
from trainer.evaluation.held_out_domains import COVERAGE, TARGET
from trainer.export.model_file import PRECISIONS
from trainer.training.distributed import leave_process_group
from trainer.training.recipe import Recipe

log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """The command line; returns an exit code."""
    logs.configure("trainer")
    arguments = _parser().parse_args(argv)
    try:
        if hasattr(arguments, "network"):
            arguments.recipe = _recipe(arguments)
        arguments.run(arguments)
    except ConfigurationError as error:
        log.error("trainer.bad_configuration", error=str(error))
        return ExitCode.BAD_CONFIGURATION
    except ModelError as error:
        log.error("trainer.bad_model", error=str(error))
        return ExitCode.BAD_MODEL
    finally:
        leave_process_group()
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer", description="Train, check and export mask classifiers."
    )
    add = parser.add_subparsers(required=True, metavar="COMMAND").add_parser
    data, recipe, out = _data_options(), _recipe_options(), _out_option()
    start: dict[str, Any] = {
        "type": Path,
        "metavar": "CHECKPOINT",
        "help": "begin with these weights; default: random ones",
    }

    train = add(
        "train",
        parents=[data, recipe, out],
        help="train, export, report: one command from a folder to a model",
    )
    train.add_argument(
        "--teacher",
        type=Path,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="learn from this one too; repeatable",
    )
    train.add_argument(
        "--validation",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="validate on these images; default: some of --data",
    )
    train.add_argument("--start", **start)
    train.add_argument(
        "--resume", action="store_true", help="go on with a training that was interrupted"
    )
    train.add_argument("--no-report", action="store_true")
    train.set_defaults(run=commands.train)

    evaluate = add("evaluate", parents=[data], help="measure a model file on a folder of images")
    evaluate.add_argument("--model", type=Path, required=True)
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=commands.evaluate)

    crossval = add(
        "crossval",
        parents=[data, recipe, out],
        help="stratified, grouped k-fold cross-validation → crossval.json",
    )
    crossval.add_argument("--folds", type=int, default=5)
    crossval.add_argument(
        "--also",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="train on these images too, and never ask about them",
    )
    crossval.add_argument("--start", **start)
    crossval.set_defaults(run=studies.crossval)

    loso = add(
        "loso",
        parents=[data, recipe, out],
        help="leave one source out, for every source → loso.json",
    )
    loso.add_argument("--seeds", type=int, default=3)
    loso.add_argument(
        "--door",
        type=_door,
        action="append",
        default=[],
        metavar="NAME=SOURCE,…",
        help="sources left out together; default: each by itself",
    )
    loso.set_defaults(run=studies.loso)

    compare = add(
        "compare",
        parents=[data, recipe, out],
        help="networks trained alike, float and int8, cost and worth → comparison.json",
    )
    compare.add_argument(
        "--candidate",
        type=candidate,
        action="append",
        metavar="NETWORK:PX:WIDTH",
        help="repeatable; default: every network at width 1",
    )
    compare.add_argument(
        "--vary",
        type=change,
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="each once more with this changed; repeatable",
    )
    named: dict[str, Any] = {"type": _named, "action": "append", "default": []}
    compare.add_argument(
        "--measure",
        metavar="NAME=DIR",
        help="measure on these images; repeatable; default: a fold of --data",
        **named,
    )
    compare.add_argument(
        "--model",
        metavar="NAME=FILE.onnx",
        help="a finished model, measured beside them; repeatable",
        **named,
    )
    compare.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="where NETWORK/crossval.json and NETWORK/loso.json lie, if they do",
    )
    compare.set_defaults(run=studies.compare)
    _add_what_trains_nothing(add, data, out)
    return parser


def _add_what_trains_nothing(
    add: Callable[..., argparse.ArgumentParser],
    data: argparse.ArgumentParser,
    out: argparse.ArgumentParser,
) -> None:
    audit = add(
        "audit-labels",
        help="labels that predictions for held-out pictures contradict → labels.csv, labels.png",
    )
    results = audit.add_mutually_exclusive_group(required=True)
    results.add_argument("--crossval", type=Path, metavar="crossval.json")
    results.add_argument("--loso", type=Path, metavar="loso.json")
    audit.add_argument("--out", type=Path, required=True, metavar="DIR")
    audit.set_defaults(run=studies.audit_labels)

    size = add(
        "size", help="what each width of a network costs; with a budget, the widest within it"
    )
    size.add_argument("--network", dest="sized", default=Recipe().network)
    size.add_argument("--channels", type=int, choices=(1, 3), default=3)
    size.add_argument("--side-px", type=int, default=28)
    size.add_argument("--width", type=float, action="append", help="look at this one; repeatable")
    size.add_argument(
        "--budget-us", type=float, metavar="µS", help="per crop, one thread, 32 at a time"
    )
    size.add_argument("--budget-parameters", type=int, metavar="N")
    size.set_defaults(run=studies.size)

    export = add("export", help="write a checkpoint as ONNX, with its card")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    export.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="auto: int8 if it is as right and faster",
    )
    export.add_argument(
        "--loso",
        type=Path,
        metavar="loso.json",
        help="choose threshold and band from it; its figures go on the card",
    )
    export.add_argument(
        "--crossval",
        type=Path,
        metavar="crossval.json",
        help="the same, where there is no loso.json",
    )
    export.add_argument(
        "--target",
        type=float,
        default=TARGET,
        help="precision and recall of what is decided; default: %(default)s",
    )
    export.add_argument(
        "--threshold",
        type=float,
        help="from which probability it is a mask; default: chosen, within .2 of one half",
    )
    export.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="DOOR",
        help="a door of either to choose by; repeatable; default: all",
    )
    export.add_argument(
        "--door",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="choose by these images too, which no training has seen",
    )
    export.add_argument(
        "--coverage",
        type=float,
        default=COVERAGE,
        help="share that must be decided, come what may; default: %(default)s",
    )
    export.set_defaults(run=commands.export)

    report = add(
        "report",
        parents=[data, out],
        help="everything that is known of a model → report.html, report.json",
    )
    report.add_argument("--model", type=Path, required=True)
    report.add_argument(
        "--split",
        type=Path,
        metavar="split.json",
        help="measure on the pictures that validated in that training",
    )
    report.add_argument(
        "--tight",
        action="append",
        default=[],
        metavar="SOURCE",
        help="robustness on these, whose faces fill the picture",
    )
    report.add_argument(
        "--slices",
        type=Path,
        metavar="slices.csv",
        help="what somebody saw on each picture: columns file and tags",
    )
    for name in ("crossval", "loso", "comparison"):
        report.add_argument(f"--{name}", type=Path, metavar=f"{name}.json")
    report.set_defaults(run=commands.report)


def _data_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        metavar="DIR",
        help="holds WithMask/ and WithoutMask/ somewhere below; repeatable",
    )
    return parser


def _out_option() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the results go"
    )
    return parser


def _recipe_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    for name, default in _recipe_defaults().items():
        kind: dict[str, Any] = (
            {"action": argparse.BooleanOptionalAction}
            if isinstance(default, bool)
            else {"type": type(default)}
        )
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=default, help="default: %(default)s", **kind
        )
    parser.add_argument(
        "--favour",
        type=_factor,
        action="append",
        default=[],
        metavar="SOURCE=FACTOR",
        help="let a source weigh more; repeatable",
    )
    parser.add_argument(
        "--tight",
        action="append",
        default=[],
        metavar="SOURCE",
        help="its faces fill the picture: masks may be drawn on them; repeatable",
    )
    return parser


def _recipe_defaults() -> dict[str, Any]:
    return {
        field.name: field.default
        for field in fields(Recipe)
        if field.default is not MISSING and field.name != "tight"
    }


def _recipe(arguments: argparse.Namespace) -> Recipe:
    chosen = {name: getattr(arguments, name) for name in _recipe_defaults()}
    return Recipe(**chosen, favour=dict(arguments.favour), tight=list(arguments.tight))


def _factor(text: str) -> tuple[str, float]:
    source, factor = _pair(text)
    if float(factor) <= 0:
        raise ValueError
    return source, float(factor)


def _named(text: str) -> tuple[str, Path]:
    name, path = _pair(text)
    return name, Path(path)


def _door(text: str) -> tuple[str, list[str]]:
    name, sources = _pair(text)
    return name, sources.split(",")


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise ValueError
    return name, value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
