"""``maskgate camera {add, rotate, revoke, list}``: while everything runs."""

import argparse
from pathlib import Path

from maskgate.operations import cameras
from maskgate.operations.cameras import Sender
from maskgate.operations.management import Management, ManagementSettings
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load


def camera_parser() -> argparse.ArgumentParser:
    """The command line of ``maskgate camera``."""
    parser = argparse.ArgumentParser(
        prog="maskgate camera",
        description="Register cameras on a running broker. Each may send its own crops only.",
        formatter_class=HelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = _command(commands, "add", "make a user for a camera, and a file with its password")
    whom = add.add_mutually_exclusive_group()
    whom.add_argument(
        "--for",
        dest="cameras",
        metavar="A,B",
        help="this sender speaks for these cameras (default: for NAME alone)",
    )
    whom.add_argument("--for-any", action="store_true", help="this sender speaks for every camera")
    add.add_argument("--audit", action="store_true", help="it may also send labelled samples")
    add.set_defaults(run=_add)
    _command(commands, "rotate", "a new password; open connections are closed").set_defaults(
        run=_rotate
    )
    _command(commands, "revoke", "delete the user; open connections are closed").set_defaults(
        run=_revoke
    )
    _command(commands, "list", "print the cameras and what each may send").set_defaults(run=_list)
    return parser


def add_management_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that needs the management API. No password is among them."""
    parser.add_argument(
        "--management-url",
        metavar="URL",
        help="management API of the broker, http://USER@HOST:15672 (default: "
        "MASKGATE_MANAGEMENT_URL). Its password comes from MASKGATE_MANAGEMENT_PASSWORD "
        "or MASKGATE_MANAGEMENT_PASSWORD_FILE",
    )


def management_of(arguments: argparse.Namespace) -> Management:
    """The API that the options and the environment name.

    Raises:
        ConfigurationError: one of them is missing or can't be used.
    """
    settings = load(ManagementSettings, [], "maskgate")
    return Management(
        arguments.management_url or settings.management_url,
        settings.management_password,
        settings.management_ca_file,
    )


def secrets_dir(arguments: argparse.Namespace) -> Path:
    """The folder of ``--secrets`` or ``MASKGATE_SECRETS_DIR``.

    Raises:
        ConfigurationError: neither is there.
    """
    given: Path | None = arguments.secrets or load(ManagementSettings, [], "maskgate").secrets_dir
    if given is None or not given.is_dir():
        msg = f"--secrets, MASKGATE_SECRETS_DIR: {given or 'not set'}: must be a folder"
        raise ConfigurationError(msg)
    return given


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        usage=f"maskgate camera {name} {'' if name == 'list' else 'NAME '}[options]",
        description=text.capitalize() + ".",
        formatter_class=HelpFormatter,
    )
    add_management_options(parser)
    if name != "list":
        parser.add_argument("name", metavar="NAME", help="the camera's id")
        parser.add_argument(
            "--secrets",
            type=Path,
            metavar="DIR",
            help="where passwords are written (default: MASKGATE_SECRETS_DIR)",
        )
    return parser


def _add(arguments: argparse.Namespace) -> int:
    names = arguments.cameras.split(",") if arguments.cameras else [arguments.name]
    sender = Sender(None if arguments.for_any else names, audit=arguments.audit)
    management, directory = management_of(arguments), secrets_dir(arguments)
    path = cameras.add(management, directory, arguments.name, sender)
    print(f"user {cameras.user_of(arguments.name)}, password in {path}")
    return ExitCode.OK


def _rotate(arguments: argparse.Namespace) -> int:
    path = cameras.rotate(management_of(arguments), secrets_dir(arguments), arguments.name)
    print(f"user {cameras.user_of(arguments.name)}, new password in {path}")
    return ExitCode.OK


def _revoke(arguments: argparse.Namespace) -> int:
    cameras.revoke(management_of(arguments), secrets_dir(arguments), arguments.name)
    print(f"user {cameras.user_of(arguments.name)} is deleted")
    return ExitCode.OK


def _list(arguments: argparse.Namespace) -> int:
    for name, sender in cameras.registered(management_of(arguments)).items():
        whom = "any camera" if sender.cameras is None else ", ".join(sender.cameras)
        print(f"{name}: {whom}{'; audit samples' if sender.audit else ''}")
    return ExitCode.OK
