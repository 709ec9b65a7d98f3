"""Command-line options that several commands share, and how a command is described."""

import argparse
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from trainer.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the trainer.

    ``run`` gets the parsed options as keyword arguments: the name of a parameter is the ``dest`` of
    its option. If the command ``trains``, the options of :func:`add_recipe` arrive as one
    ``recipe``.
    """

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., None]
    trains: bool = False


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--data``, a list of folders."""
    add_repeatable(
        parser,
        "--data",
        "has WithMask/ and WithoutMask/ somewhere below",
        metavar="DIR",
        required=True,
    )


def add_repeatable(
    parser: argparse.ArgumentParser,
    flag: str,
    text: str,
    *,
    metavar: str,
    dest: str | None = None,
    kind: Callable[[str], Any] = Path,
    required: bool = False,
) -> None:
    """An option that may be given several times; its values are a list, by default an empty one."""
    parser.add_argument(
        flag,
        required=required,
        dest=dest,
        type=kind,
        action="append",
        default=[],
        metavar=metavar,
        help=f"{text}; repeatable",
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    """``--out``, a folder."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where to write the results"
    )


def add_start(parser: argparse.ArgumentParser) -> None:
    """``--start``, a checkpoint."""
    parser.add_argument(
        "--start",
        type=Path,
        metavar="CHECKPOINT",
        help="start from these weights; default: random ones",
    )


def add_tight(parser: argparse.ArgumentParser, text: str) -> None:
    """``--tight``, a list of sources, with this help text."""
    add_repeatable(parser, "--tight", text, metavar="SOURCE", kind=str)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """An option for each field of :class:`Recipe`."""
    for name, default in _simple_defaults().items():
        kind: dict[str, Any] = (
            {"action": argparse.BooleanOptionalAction}
            if isinstance(default, bool)
            else {"type": type(default)}
        )
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=default, help="default: %(default)s", **kind
        )
    add_repeatable(
        parser,
        "--favour",
        "multiply the sampling weight of a source",
        metavar="SOURCE=FACTOR",
        kind=_factor,
    )
    add_tight(parser, "its faces fill the image, so masks can be drawn on them")


def with_recipe(options: dict[str, Any]) -> dict[str, Any]:
    """The options, those of :func:`add_recipe` replaced by one ``recipe``."""
    names = {field.name for field in fields(Recipe)}
    chosen = {name: value for name, value in options.items() if name in names}
    others = {name: value for name, value in options.items() if name not in names}
    return {**others, "recipe": Recipe(**{**chosen, "favour": dict(chosen["favour"])})}


def name_and_value(text: str) -> tuple[str, str]:
    """Parse ``NAME=VALUE``.

    Raises:
        ValueError: a part is missing.
    """
    name, _, value = text.partition("=")
    if not name or not value:
        raise ValueError(text)
    return name, value


def name_and_path(text: str) -> tuple[str, Path]:
    """Parse ``NAME=PATH``.

    Raises:
        ValueError: a part is missing.
    """
    name, path = name_and_value(text)
    return name, Path(path)


def _simple_defaults() -> dict[str, Any]:
    """The default of each field of Recipe that is a number, a flag or a text."""
    return {
        field.name: field.default
        for field in fields(Recipe)
        if field.default is not MISSING and field.name != "tight"
    }


def _factor(text: str) -> tuple[str, float]:
    source, factor = name_and_value(text)
    if float(factor) <= 0:
        raise ValueError(text)
    return source, float(factor)
