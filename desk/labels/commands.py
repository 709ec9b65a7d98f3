"""``python -m desk key``, ``export`` and ``delete``: commands for crops to label."""

import argparse
import getpass
import hashlib
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from desk.journal import FILE_NAME, Journal
from desk.labels import exports, key
from desk.labels.deletion import EXPORTS, check, delete
from desk.labels.deletion_view import named
from desk.labels.rules import Labelling
from desk.labels.setup import open_store
from desk.labels.store import LabelStore
from desk.labels.tombstones import Scope
from desk.settings import LabelSettings
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load

COMMANDS = ("key", "export", "delete")
_PARTS = ("all", "audit", "training")


def main(argv: Sequence[str]) -> int:
    """The command line after ``python -m desk``; returns an exit code.

    Raises:
        ConfigurationError: an option, the key or the store can't be used.
        JournalError: what is to be deleted can't be written down.
    """
    arguments = _parser().parse_args(argv)
    if arguments.command == "key":
        key.make(arguments.file)
        print(f"{arguments.file}: a new key; keep a copy where the crops are not")
        return ExitCode.OK
    settings = load(LabelSettings, [], f"python -m desk {arguments.command}")
    journal = Journal(settings.state_dir() / FILE_NAME)
    with closing(open_store(settings)) as store:
        return (
            _export(store, journal, arguments)
            if arguments.command == "export"
            else _delete(store, journal, arguments)
        )


def part_of(track_id: str, camera_id: str) -> str:
    """Which half a crop belongs to: all crops of one person are in the same.

    A model must not be audited with the crops that it was trained on.
    """
    digest = hashlib.sha256(f"{camera_id}/{track_id}".encode()).digest()
    return _PARTS[1 + digest[0] % 2]


def _export(store: LabelStore, journal: Journal, arguments: argparse.Namespace) -> int:
    folder: Path = arguments.out or (
        store.folder / EXPORTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    )
    rows = rows_of(store, arguments.part)
    journal.write(_who(), "crops_exported", folder=str(folder), crops=len(rows))
    exports.write(folder, rows, store.pictures.read)
    print(f"{folder}: {len(rows)} labelled crops, {arguments.part}")
    if folder.resolve().parent != (store.folder / EXPORTS).resolve():
        print("outside of the desk's exports: a deletion does not reach this folder")
    return ExitCode.OK


def rows_of(store: LabelStore, part: str) -> list[exports.Row]:
    """The lines of an export: all labelled crops, or those of one half."""
    labels = Labelling(store.database, store.clock).settled()
    rows = store.database.rows(
        "SELECT crop_id, camera_id, track_id, why, inclusion_probability FROM crops "
        "ORDER BY crop_id"
    )
    return [
        exports.row_of(dict(row), labels[row["crop_id"]])
        for row in rows
        if row["crop_id"] in labels and part in ("all", part_of(row["track_id"], row["camera_id"]))
    ]


def _delete(store: LabelStore, journal: Journal, arguments: argparse.Namespace) -> int:
    given = {
        Scope.CROP: arguments.crop,
        Scope.CAMERA: arguments.camera,
        Scope.AGE: arguments.older_than_days,
    }
    [(scope, value)] = [(scope, value) for scope, value in given.items() if value is not None]
    check(scope, value)
    journal.write(_who(), "crops_deleted", **named(scope, value))
    done = delete(store, scope, value)
    print(f"{done.crops} crops deleted, and {done.exported} files of exports")
    return ExitCode.OK


def _who() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # no such user in a container
        return "command line"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m desk", formatter_class=HelpFormatter)
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text, formatter_class=HelpFormatter, allow_abbrev=False
        )

    make = command("key", "Make a key that encrypts crops to label.")
    make.add_argument("file", type=Path, metavar="FILE", help="the key's file; must not exist")
    export = command("export", "Write the labelled crops as image folders with their weights.")
    export.add_argument(
        "--out", type=Path, metavar="DIR", help="a new folder (default: one of the desk's exports)"
    )
    export.add_argument(
        "--part",
        choices=_PARTS,
        default="all",
        help="one half, by person: a model must not be audited with what it was trained on "
        "(default: %(default)s)",
    )
    deleting = command("delete", "Delete crops from the store, its exports and what waits.")
    what = deleting.add_mutually_exclusive_group(required=True)
    what.add_argument("--crop", metavar="ID", help="one crop")
    what.add_argument("--camera", metavar="ID", help="all crops of a camera until now")
    what.add_argument("--older-than-days", metavar="N", help="all captured N days ago or more")
    return parser
