"""``python -m worker deadletters {list, requeue, purge}``: crops that no worker could process.

Needs the broker's ``operator`` user (``maskgate/operations/secrets.py``): a worker's user may not
read dead letters. Pixels are never shown.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pika

from maskgate.operations.dead_letters import Letter, Requeuer, connected, letters, purge
from maskgate.protocol.dead_letter import DeadLetter, describe
from maskgate.runtime.exit_codes import ExitCode


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m worker deadletters", description="Crops that no worker could process."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser(
        "list", help="print one line each: ids, queue, reason. Changes nothing"
    )
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    requeue = commands.add_parser(
        "requeue",
        help="put them back into the queue they came from. A crop that is too old expires there",
    )
    which = requeue.add_mutually_exclusive_group(required=True)
    which.add_argument("--crop-id", action="append", help="only this one; may be repeated")
    which.add_argument("--all", action="store_true")
    purge = commands.add_parser("purge", help="delete all of them")
    purge.add_argument("--yes", action="store_true", required=True, help="they can't be restored")
    for command in (listing, requeue):
        command.add_argument(
            "--limit",
            type=int,
            default=1000,
            metavar="N",
            help="read at most N dead letters; default: %(default)s",
        )
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace, parameters: pika.connection.Parameters) -> int:
    """Run a command; returns an exit code.

    Raises:
        BrokerError: no broker, or the user has no permission.
    """
    with connected(parameters) as connection:
        if arguments.command == "purge":
            print(f"{purge(connection)} deleted")
            return ExitCode.OK
        found = letters(connection.channel(), arguments.limit)
        if arguments.command == "list":
            for letter in found:
                _print(describe(letter.message), as_json=arguments.json)
            return ExitCode.OK
        return _requeue(connection, found, None if arguments.all else set(arguments.crop_id))


def _print(shown: DeadLetter, *, as_json: bool) -> None:
    fields = asdict(shown)
    print(
        json.dumps(fields) if as_json else "  ".join(str(value or "–") for value in fields.values())
    )


def _requeue(connection: Any, found: Iterator[Letter], wanted: set[str] | None) -> int:
    requeuer = Requeuer(connection)
    missing, chosen, requeued = set(wanted or ()), 0, 0
    for letter in found:
        crop_id = letter.message.message_id
        if wanted is None or crop_id in wanted:
            missing.discard(str(crop_id))
            chosen += 1
            requeued += _requeue_one(requeuer, letter)
    for crop_id in sorted(missing):
        print(f"{crop_id!r}: no such dead letter")
    print(f"{requeued} of {chosen + len(missing)} requeued")
    return ExitCode.OK if requeued == chosen and not missing else ExitCode.UNAVAILABLE


def _requeue_one(requeuer: Requeuer, letter: Letter) -> bool:
    refusal = requeuer.requeue(letter)
    if refusal:
        crop_id = describe(letter.message).crop_id or "a message without an id"
        print(f"{crop_id}: not requeued, {refusal}")
    return refusal is None
