"""Command lines: one layout for every program, built on argparse.

Settings become options through pydantic-settings. A usage error prints the usage line and exits
with 2.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings, CliSettingsSource

CHECK = "--check"
_HELP_COLUMN = 32
#: How an option's value is called in its help, by the last word of the option's name.
_METAVARS = {
    "ms": "MS",
    "s": "SECONDS",
    "file": "FILE",
    "path": "FILE",
    "card": "FILE",
    "sha256": "HEX",
}
#: pydantic prints these where there is no default, where it is secret, or where it is empty.
_NO_DEFAULT = re.compile(r" \(default(?:: None|: \*+| factory: list)\)$")
_ENVIRONMENT = (
    "Every option is also an environment variable: --log-level is {prefix}LOG_LEVEL. "
    "Passwords are accepted there and in files only. "
    "{prefix}X_FILE names a file that holds the value of X. "
    "The command line wins over the environment, and the environment over files."
)


class HelpFormatter(argparse.HelpFormatter):
    """argparse's layout with a wider column for option names."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN)


def choose(program: str, description: str, commands: Mapping[str, str], argv: Sequence[str]) -> str:
    """The command that a command line begins with. ``commands`` maps each to its help text.

    Raises:
        SystemExit: after ``--help`` (0), or if the command is missing or unknown (2).
    """
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} COMMAND [options]",
        description=description,
        epilog=f"{program} COMMAND --help lists the options of a command.",
        formatter_class=HelpFormatter,
    )
    choices = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for name, text in commands.items():
        choices.add_parser(name, help=text, add_help=False)
    return str(parser.parse_args(argv[:1]).command)


def settings_parser(
    kind: type[BaseSettings], program: str, *, check: bool = False, commands: str = ""
) -> tuple[argparse.ArgumentParser, "CliSettingsSource[argparse.ArgumentParser]"]:
    """A parser with one option for each setting, and the source that reads what it parsed.

    ``check`` adds the option ``--check``; ``commands`` is help text about further commands.
    """
    parser = _empty_parser(kind, program, commands)
    if check:
        parser.add_argument(
            CHECK,
            action="store_true",
            help="validate the configuration, print what it would connect to and exit: "
            "0 if it is valid, 78 if not",
        )
    words, prefix = [program, "[options]"], str(kind.model_config["env_prefix"])

    def add(group: Any, *names: str, **options: Any) -> argparse.Action:
        if not names[0].startswith("-"):
            words.append(f"[{names[0].upper()} ...]" if "nargs" in options else names[0].upper())
        return argparse.ArgumentParser.add_argument(group, *names, **_open(_plain(options), prefix))

    source: CliSettingsSource[argparse.ArgumentParser] = CliSettingsSource(
        kind, root_parser=parser, add_argument_method=add
    )
    parser.usage = " ".join(words)
    return parser, source


def _open(options: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Options that refuse a password: other users of the machine can read command lines."""
    name = str(options.get("dest", ""))
    if name.endswith("_password"):
        variable = prefix + name.upper()
        return {
            "dest": name,
            "action": _Refused,
            "help": f"not accepted here: set {variable} or {variable}_FILE",
        }
    if name.endswith("_url"):
        return {**options, "type": partial(_without_password, prefix + name.upper())}
    return options


class _Refused(argparse.Action):
    """An option that exists only to say what to use instead."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error(f"{self.option_strings[0]}: {self.help}")


def _without_password(variable: str, url: str) -> str:
    try:
        has_password = urlsplit(url).password is not None
    except ValueError:
        has_password = True  # who knows what it holds
    if has_password:
        option = variable.removesuffix("URL") + "PASSWORD"
        msg = f"must not hold a password; set {option} or {option}_FILE, or {variable} as a whole"
        raise argparse.ArgumentTypeError(msg)
    return url


def _empty_parser(kind: type[BaseSettings], program: str, commands: str) -> argparse.ArgumentParser:
    environment = _ENVIRONMENT.format(prefix=kind.model_config["env_prefix"])
    return argparse.ArgumentParser(
        prog=program,
        description=kind.__doc__,
        epilog=f"{commands} {environment}".strip(),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options of ``add_argument`` with help and metavar for people instead of Python's types."""
    text = _NO_DEFAULT.sub("", options["help"])
    plain = {**options, "help": text.replace("(default: False)", "(default: no)")}
    if "dest" in options and not options.get("metavar", "{").startswith("{"):
        last = options["dest"].rpartition("_")[2]
        number = "N" if options["metavar"] == "int" else last.upper()
        plain["metavar"] = _METAVARS.get(last, number)
    return plain
