"""``python -m worker deadletters {list, requeue, purge}``: crops that no worker could process.

Needs the broker's ``operator`` user (``maskgate/operations/secrets.py``): a worker's user may not
read dead letters. Pixels are never shown.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import DEAD_QUEUE
from maskgate.runtime.exit_codes import ExitCode
from worker.operations.dead_letter import describe, route_back


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
    with _channel(parameters) as channel:
        if arguments.command == "purge":
            print(f"{channel.queue_purge(DEAD_QUEUE).method.message_count} deleted")
            return ExitCode.OK
        letters = list(_unacknowledged(channel, arguments.limit))
        if arguments.command == "requeue":
            return _requeue(channel, letters, None if arguments.all else set(arguments.crop_id))
    for method, properties, body in letters:
        shown = asdict(describe(method.routing_key, properties, body))
        print(
            json.dumps(shown)
            if arguments.json
            else "  ".join(str(value or "–") for value in shown.values())
        )
    return ExitCode.OK


def _requeue(
    channel: Any, letters: Sequence[tuple[Any, Any, bytes]], wanted: set[str] | None
) -> int:
    channel.confirm_delivery()
    chosen = [letter for letter in letters if wanted is None or letter[1].message_id in wanted]
    requeued = sum([_requeue_one(channel, *letter) for letter in chosen])
    missing = sorted((wanted or set()) - {properties.message_id for _, properties, _ in chosen})
    for crop_id in missing:
        print(f"{crop_id!r}: no such dead letter")
    print(f"{requeued} of {len(chosen) + len(missing)} requeued")
    return ExitCode.OK if requeued == len(chosen) and not missing else ExitCode.UNAVAILABLE


def _requeue_one(channel: Any, method: Any, properties: Any, body: bytes) -> bool:
    """Publish a dead letter to its queue, wait for the confirmation, then acknowledge it here.

    A failure in between can duplicate a crop, but not lose one.
    """
    crop_id = describe(method.routing_key, properties, body).crop_id or "a message without an id"
    headers = properties.headers or {}
    route = route_back(method.routing_key)
    if route is None:
        print(f"{crop_id}: not requeued, the queue it came from is unknown")
        return False
    properties.headers = {
        name: value for name, value in headers.items() if not name.startswith("x-")
    }
    try:
        channel.basic_publish(*route, body, properties, mandatory=True)
    except (NackError, UnroutableError) as error:
        print(f"{crop_id}: not requeued, its queue is full or missing ({type(error).__name__})")
        return False
    channel.basic_ack(method.delivery_tag)
    return True


def _unacknowledged(channel: Any, limit: int) -> Iterator[tuple[Any, Any, bytes]]:
    """Method, properties and body of each. What is not acknowledged later stays in the queue."""
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE, auto_ack=False)
        if method is None:
            return
        yield method, properties, body


@contextmanager
def _channel(parameters: pika.connection.Parameters) -> Iterator[Any]:
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        msg = f"{type(error).__name__}: {error}"
        raise BrokerError(msg) from None
