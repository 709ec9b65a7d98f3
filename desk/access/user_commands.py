"""``python -m desk user``: adds, lists and removes users, and changes passwords."""

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from desk.access.passwords import MAX_LENGTH, MIN_LENGTH, hash_of
from desk.access.roles import BY_LABEL
from desk.access.users import NO_PASSWORD, User, is_name, read, text_of
from desk.settings import UsersSettings
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from maskgate.runtime.whole_file import write_whole

PROGRAM = "python -m desk user"


def main(argv: Sequence[str]) -> int:
    """The command line after ``python -m desk user``; returns an exit code.

    Raises:
        ConfigurationError: the users file or the password can't be used.
    """
    arguments = _parser().parse_args(argv)
    path = arguments.users_file or load(UsersSettings, [], PROGRAM).users_file()
    users = read(path) if path.exists() else {}
    if arguments.command == "list":
        for user in users.values():
            password = "no password" if user.password_hash == NO_PASSWORD else "password"
            print(f"{user.name:24} {user.role.label:10} {password}")
        return ExitCode.OK
    _change(users, arguments)
    _write(path, text_of(users))
    print(f"{path}: {len(users)} users")
    return ExitCode.OK


def _change(users: dict[str, User], arguments: argparse.Namespace) -> None:
    name = arguments.name
    if arguments.command == "add":
        if not is_name(name) or name in users:
            what = "is there already" if name in users else "is not 1 to 64 of A-Z a-z 0-9 . _ @ -"
            msg = f"user {name!r} {what}"
            raise ConfigurationError(msg)
        users[name] = User(name, BY_LABEL[arguments.role], _hash(arguments))
        return
    if name not in users:
        msg = f"there is no user {name!r}"
        raise ConfigurationError(msg)
    if arguments.command == "remove":
        del users[name]
    else:
        users[name] = User(name, users[name].role, _hash(arguments))


def _hash(arguments: argparse.Namespace) -> str:
    if arguments.no_password:
        return NO_PASSWORD
    password = _from_file(arguments.password_file) if arguments.password_file else _asked()
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        msg = f"the password must have {MIN_LENGTH} to {MAX_LENGTH} characters"
        raise ConfigurationError(msg)
    return hash_of(password)


def _from_file(path: Path) -> str:
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        msg = f"--password-file {path}: {getattr(error, 'strerror', None) or 'not a text'}"
        raise ConfigurationError(msg) from None


def _asked() -> str:
    if not sys.stdin.isatty():
        msg = "no terminal to ask for the password: use --password-file"
        raise ConfigurationError(msg)
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        msg = "the two passwords differ"
        raise ConfigurationError(msg)
    return password


def _write(path: Path, text: str) -> None:
    """Replace the file in one step; nobody but its owner can read it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        msg = f"users file {path}: can't be written: {error.strerror}"
        raise ConfigurationError(msg) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The users of the page: viewer < labeller < operator.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for name, text in {
        "add": "add a user",
        "password": "give a user another password; open sessions end",
        "remove": "remove a user; open sessions end",
        "list": "list users and roles",
    }.items():
        command = commands.add_parser(
            name,
            usage=f"{PROGRAM} {name} {'[options]' if name == 'list' else '[options] NAME'}",
            help=text,
            description=text,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        command.add_argument(
            "--users-file",
            type=Path,
            metavar="FILE",
            help="default: MASKGATE_DESK_USERS_FILE, else users in MASKGATE_DESK_STATE_DIR",
        )
        if name != "list":
            command.add_argument("name", metavar="NAME", help="the user's name")
        if name == "add":
            command.add_argument(
                "--role", required=True, choices=list(BY_LABEL), help="what the user may do"
            )
        if name in ("add", "password"):
            command.add_argument(
                "--password-file",
                type=Path,
                metavar="FILE",
                help="read the password from this file instead of asking for it",
            )
            command.add_argument(
                "--no-password",
                action="store_true",
                help="a user whom a proxy signs in, see MASKGATE_DESK_TRUSTED_HEADER",
            )
    return parser
