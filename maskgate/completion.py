"""``maskgate completion bash``: a script that completes commands and options in a shell.

Needs shtab, which the extra ``completion`` installs; no other command does.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from maskgate.commands import COMMANDS
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode

SHELLS = ("bash", "zsh")


def parser(_name: str = "completion") -> argparse.ArgumentParser:
    """The command line of this command."""
    own = argparse.ArgumentParser(
        prog="maskgate completion",
        usage="maskgate completion {bash,zsh}",
        description="Print a completion script for a shell.",
        epilog='For bash, add to ~/.bashrc: eval "$(maskgate completion bash)". '
        "For zsh, write the script to a file named _maskgate in a folder of $fpath.",
        formatter_class=HelpFormatter,
    )
    own.add_argument("shell", choices=SHELLS, help="the shell that reads the script")
    return own


def whole_parser() -> argparse.ArgumentParser:
    """One parser that holds every command with all its options."""
    whole = argparse.ArgumentParser(prog="maskgate")
    commands = whole.add_subparsers()
    for name, (module, text) in COMMANDS.items():
        own = import_module(module).parser(name)
        commands.add_parser(name, help=text, parents=[own], add_help=False)
    return whole


def main(argv: Sequence[str]) -> int:
    """Print the script; returns an exit code."""
    shell = parser().parse_args(argv[1:]).shell
    try:
        shtab = import_module("shtab")
    except ImportError:
        print("error: this needs shtab: pip install 'maskgate[completion]'", file=sys.stderr)
        return ExitCode.UNAVAILABLE
    print(shtab.complete(whole_parser(), shell=shell))
    return ExitCode.OK
