"""``python -m worker deadletters {list, requeue, purge}``: crops that no worker could process.

Needs the broker's ``operator`` user (``maskgate/operations/secrets.py``): a worker's user may not
read dead letters. Pixels are never shown.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from maskgate.protocol.crop import Message
from maskgate.protocol.errors import BrokerError
from maskgate.protocol.topology import DEAD_QUEUE
from maskgate.runtime.exit_codes import ExitCode
from worker.broker.dead_letters import properties_of
from worker.operations.dead_letter import DeadLetter, describe, message_of, route_back


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
    with _connection(parameters) as connection:
        if arguments.command == "purge":
            purged = connection.channel().queue_purge(DEAD_QUEUE)
            print(f"{purged.method.message_count} deleted")
            return ExitCode.OK
        letters = _unacknowledged(connection.channel(), arguments.limit)
        if arguments.command == "list":
            for letter in letters:
                _print(describe(letter.message), as_json=arguments.json)
            return ExitCode.OK
        return _requeue(connection, letters, None if arguments.all else set(arguments.crop_id))


@dataclass(frozen=True, slots=True)
class _Letter:
    message: Message
    acknowledge: Callable[[], None]


def _print(shown: DeadLetter, *, as_json: bool) -> None:
    fields = asdict(shown)
    print(
        json.dumps(fields) if as_json else "  ".join(str(value or "–") for value in fields.values())
    )


def _requeue(connection: Any, letters: Iterator[_Letter], wanted: set[str] | None) -> int:
    publish = _publisher(connection)
    missing, chosen, requeued = set(wanted or ()), 0, 0
    for letter in letters:
        crop_id = letter.message.message_id
        if wanted is None or crop_id in wanted:
            missing.discard(str(crop_id))
            chosen += 1
            requeued += _requeue_one(publish, letter)
    for crop_id in sorted(missing):
        print(f"{crop_id!r}: no such dead letter")
    print(f"{requeued} of {chosen + len(missing)} requeued")
    return ExitCode.OK if requeued == chosen and not missing else ExitCode.UNAVAILABLE


def _requeue_one(publish: Callable[[tuple[str, str], Message], None], letter: _Letter) -> bool:
    """Publish a dead letter to its queue, wait for the confirmation, then acknowledge it here.

    A failure in between can duplicate a crop, but not lose one. A letter that the broker refuses
    stays.
    """
    crop_id = describe(letter.message).crop_id or "a message without an id"
    route = route_back(letter.message.routing_key)
    if route is None:
        print(f"{crop_id}: not requeued, the queue it came from is unknown")
        return False
    try:
        publish(route, letter.message)
    except (NackError, UnroutableError) as error:
        print(f"{crop_id}: not requeued, its queue is full or missing ({type(error).__name__})")
        return False
    except ChannelClosedByBroker as error:
        print(f"{crop_id}: not requeued, the broker refuses it ({error.reply_text})")
        return False
    letter.acknowledge()
    return True


def _publisher(connection: Any) -> Callable[[tuple[str, str], Message], None]:
    """Publishes with confirms. On a channel of its own, which the broker closes if it refuses."""
    channel: Any = None

    def publish(route: tuple[str, str], message: Message) -> None:
        nonlocal channel
        if channel is None or not channel.is_open:
            channel = connection.channel()
            channel.confirm_delivery()
        channel.basic_publish(*route, message.body, properties_of(message, {}), mandatory=True)

    return publish


def _unacknowledged(channel: Any, limit: int) -> Iterator[_Letter]:
    """One after the other; what is not acknowledged stays in the queue."""
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE, auto_ack=False)
        if method is None:
            return
        yield _Letter(
            message_of(method.routing_key, properties, body),
            partial(channel.basic_ack, method.delivery_tag),
        )


@contextmanager
def _connection(parameters: pika.connection.Parameters) -> Iterator[Any]:
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        msg = f"{type(error).__name__}: {error}"
        raise BrokerError(msg) from None
