"""``python -m worker deadletters {list, requeue, purge}``: crops that no worker could process.

Needs the broker's ``operator`` user (``maskgate/operations/secrets.py``): a worker's user may not
read dead letters. Pixels are never shown.
"""

import argparse
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

from maskgate.protocol.crop import Message, known_ids, parse
from maskgate.protocol.errors import BrokerError, UnreadableCropError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_KEY,
    AUDIT_QUEUE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_KEY,
    LIVE_QUEUE,
)
from maskgate.runtime.exit_codes import ExitCode

#: Queue that a dead letter came from → exchange and routing key that lead back to it.
_ROUTES = {LIVE_QUEUE: (LIVE_EXCHANGE, LIVE_KEY), AUDIT_QUEUE: (AUDIT_EXCHANGE, AUDIT_KEY)}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be shown of a dead letter: an id only if it is valid, because it may be any text.

    ``problem`` is why the message is not a crop, as a :class:`maskgate.protocol.errors.Reason`.
    It is None if the message is valid: then its image was unreadable, or the delivery limit was
    exceeded.
    """

    crop_id: str | None
    camera_id: str | None
    queue: str | None
    reason: str | None
    died_at: str | None
    problem: str | None
    body_bytes: int


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
    for _, properties, body in letters:
        shown = asdict(describe(properties, body))
        print(
            json.dumps(shown)
            if arguments.json
            else "  ".join(str(value or "–") for value in shown.values())
        )
    return ExitCode.OK


def describe(properties: Any, body: bytes) -> DeadLetter:
    """What may be shown of a dead letter."""
    message = Message(
        body,
        properties.content_type,
        properties.type,
        properties.message_id,
        properties.headers or {},
    )
    death = _death(message.headers)
    camera_id, crop_id, _ = known_ids(message)
    problem = None
    try:
        parse(message, audit=death.get("queue") == AUDIT_QUEUE)
    except UnreadableCropError as error:
        problem = error.reason.value
    died_at = death.get("time")
    return DeadLetter(
        crop_id,
        camera_id,
        queue=death["queue"] if death.get("queue") in _ROUTES else None,
        reason=str(death["reason"]) if "reason" in death else None,
        died_at=died_at.isoformat() if isinstance(died_at, dt.datetime) else None,
        problem=problem,
        body_bytes=len(body),
    )


def _requeue(
    channel: Any, letters: Sequence[tuple[int, Any, bytes]], wanted: set[str] | None
) -> int:
    """Publish each to its queue, wait for the confirmation, then acknowledge it here.

    A failure in between can duplicate a crop, but not lose one.
    """
    channel.confirm_delivery()
    chosen = [letter for letter in letters if wanted is None or letter[1].message_id in wanted]
    requeued = 0
    for tag, properties, body in chosen:
        crop_id = describe(properties, body).crop_id or "a message without an id"
        route = _ROUTES.get(_death(properties.headers or {}).get("queue", ""))
        if route is None:
            print(f"{crop_id}: not requeued, the queue it came from is unknown")
            continue
        properties.headers = {
            name: value for name, value in properties.headers.items() if not name.startswith("x-")
        }
        try:
            channel.basic_publish(*route, body, properties, mandatory=True)
        except (NackError, UnroutableError) as error:
            print(f"{crop_id}: not requeued, its queue is full or missing ({type(error).__name__})")
            continue
        channel.basic_ack(tag)
        requeued += 1
    missing = sorted((wanted or set()) - {properties.message_id for _, properties, _ in chosen})
    for crop_id in missing:
        print(f"{crop_id!r}: no such dead letter")
    print(f"{requeued} of {len(chosen) + len(missing)} requeued")
    return ExitCode.OK if requeued == len(chosen) and not missing else ExitCode.UNAVAILABLE


def _unacknowledged(channel: Any, limit: int) -> Iterator[tuple[int, Any, bytes]]:
    """Tag, properties and body of each. What is not acknowledged later stays in the queue."""
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE, auto_ack=False)
        if method is None:
            return
        yield method.delivery_tag, properties, body


def _death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}


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
