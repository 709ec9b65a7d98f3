"""``maskgate topology``, ``permissions``, ``secrets`` and ``camera``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from maskgate.operations import redis_memory, secrets, topology
from maskgate.operations.camera_commands import (
    add_management_options,
    camera_parser,
    management_of,
)
from maskgate.operations.management import ManagementSettings
from maskgate.protocol.errors import ConfigurationError, MaskgateError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load


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
    return {
        "topology": _topology,
        "permissions": _permissions,
        "secrets": _secrets,
        "camera": camera_parser,
    }[name]()


def _topology() -> argparse.ArgumentParser:
    parser = _parser("topology", "Bring a running broker up to date.")
    apply = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "apply",
        help="import the definitions and print what changed; nothing is removed",
        description="Import the definitions over RabbitMQ's management API.",
        formatter_class=HelpFormatter,
    )
    add_management_options(apply)
    apply.add_argument(
        "--definitions",
        type=Path,
        metavar="FILE",
        help="definitions to import (default: those of MASKGATE_SECRETS_DIR, with users and "
        "rights; else the shipped ones, without)",
    )
    apply.add_argument(
        "--replace-exchanges",
        action="store_true",
        help="delete and make anew an exchange that has another type; no message is lost",
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
    parser.add_argument(
        "--camera",
        required=True,
        metavar="NAME",
        help="a camera that 'maskgate camera add NAME' registered for itself alone",
    )
    parser.set_defaults(run=_run_permissions)
    return parser


def _secrets() -> argparse.ArgumentParser:
    parser = _parser(
        "secrets",
        "Make passwords, broker definitions and Redis ACL. Again: keep the passwords, "
        "bring the rest up to date and print what changed.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="gets one folder for each role")
    parser.add_argument(
        "--doors",
        type=int,
        default=redis_memory.DOORS,
        metavar="N",
        help="give Redis memory for the histories of N doors (default: %(default)s)",
    )
    parser.add_argument(
        "--history-length",
        type=int,
        default=redis_memory.HISTORY_LENGTH,
        metavar="N",
        help="entries of a history, as the workers are configured (default: %(default)s)",
    )
    parser.set_defaults(run=_run_secrets)
    return parser


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"maskgate {name}", description=description, formatter_class=HelpFormatter
    )


def _run_topology(arguments: argparse.Namespace) -> int:
    given = load(ManagementSettings, [], "maskgate topology").secrets_dir
    definitions = arguments.definitions or (
        given / "rabbitmq" / "definitions.json" if given else topology.DEFINITIONS
    )
    changed = topology.apply(
        management_of(arguments), definitions, replace_exchanges=arguments.replace_exchanges
    )
    print(*changed, f"applied {definitions}", sep="\n")
    return ExitCode.OK


def _run_permissions(arguments: argparse.Namespace) -> int:
    # The other commands, and completion, work without pika.
    from maskgate.operations.permissions import compare  # noqa: PLC0415  (imports pika)

    wrong = compare(arguments.secrets, arguments.broker, arguments.redis, arguments.camera)
    return ExitCode.SOFTWARE if wrong else ExitCode.OK


def _run_secrets(arguments: argparse.Namespace) -> int:
    doors, length = arguments.doors, arguments.history_length
    for line in secrets.generate(arguments.directory, doors=doors, history_length=length):
        print(line)
    return ExitCode.OK
