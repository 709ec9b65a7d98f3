"""``maskgate topology``, ``maskgate permissions`` and ``maskgate secrets``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from maskgate.operations import secrets, topology
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode


def main(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` begins with; returns an exit code."""
    arguments = parser(argv[0]).parse_args(argv[1:])
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    except MaskgateError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.UNAVAILABLE


def parser(name: str) -> argparse.ArgumentParser:
    """The command line of one command."""
    return {"topology": _topology, "permissions": _permissions, "secrets": _secrets}[name]()


def _topology() -> argparse.ArgumentParser:
    parser = _parser("topology", "Put exchanges, queues and policies on a running broker.")
    apply = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "apply",
        help="import the definitions; what exists already stays as it is",
        description="Import the definitions over RabbitMQ's management API.",
        formatter_class=HelpFormatter,
    )
    apply.add_argument(
        "--management-url",
        required=True,
        metavar="URL",
        help="management API of the broker: http://USER:PASSWORD@HOST:15672",
    )
    apply.add_argument(
        "--definitions",
        type=Path,
        default=topology.DEFINITIONS,
        metavar="FILE",
        help="definitions to import (default: %(default)s)",
    )
    apply.set_defaults(run=_run_topology)
    return parser


def _permissions() -> argparse.ArgumentParser:
    parser = _parser(
        "permissions",
        "Test on running servers what each role may do. Exits 0 only if all is as intended.",
    )
    parser.add_argument(
        "--secrets",
        type=Path,
        required=True,
        metavar="DIR",
        help="passwords, as 'maskgate secrets DIR' writes them",
    )
    parser.add_argument(
        "--broker", required=True, metavar="HOST:PORT", help="where RabbitMQ listens for AMQP"
    )
    parser.add_argument("--redis", required=True, metavar="HOST:PORT", help="where Redis listens")
    parser.set_defaults(run=_run_permissions)
    return parser


def _secrets() -> argparse.ArgumentParser:
    parser = _parser(
        "secrets", "Make the passwords of a development installation; existing ones are kept."
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="gets one folder for each role")
    parser.set_defaults(run=_run_secrets)
    return parser


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"maskgate {name}", description=description, formatter_class=HelpFormatter
    )


def _run_topology(arguments: argparse.Namespace) -> int:
    topology.apply(arguments.management_url, arguments.definitions)
    print(f"applied {arguments.definitions.name}")
    return ExitCode.OK


def _run_permissions(arguments: argparse.Namespace) -> int:
    # The other commands, and completion, work without pika.
    from maskgate.operations.permissions import compare  # noqa: PLC0415  (imports pika)

    wrong = compare(arguments.secrets, arguments.broker, arguments.redis)
    return ExitCode.SOFTWARE if wrong else ExitCode.OK


def _run_secrets(arguments: argparse.Namespace) -> int:
    secrets.generate(arguments.directory)
    return ExitCode.OK
