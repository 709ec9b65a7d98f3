"""``python -m worker deadletters {list, requeue, purge}``: what became of crops that could not be worked on. Never their pixels.

Needs the broker's ``operator`` user, whose rights are in ``maskgate/operations/secrets.py``: a worker's own may not read dead letters.
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

#: Where a dead letter goes back to, by the queue that it came from.
_HOMES = {LIVE_QUEUE: (LIVE_EXCHANGE, LIVE_KEY), AUDIT_QUEUE: (AUDIT_EXCHANGE, AUDIT_KEY)}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be told of one: ids only where they are valid, since anything may stand there. ``problem`` is a reason of the closed list.

    ``problem`` is None where the message is right: then its picture was unreadable, or it was not the message that it died of.
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
        prog="python -m worker deadletters", description="Crops that could not be worked on."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser(
        "list", help="a line each: ids, where from, why; never a pixel. The queue stays as it is"
    )
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    requeue = commands.add_parser(
        "requeue",
        help="give them back to the queue they came from; the worker judges their age anew",
    )
    which = requeue.add_mutually_exclusive_group(required=True)
    which.add_argument("--crop-id", action="append", help="this one; repeatable")
    which.add_argument("--all", action="store_true")
    purge = commands.add_parser("purge", help="delete them all")
    purge.add_argument("--yes", action="store_true", required=True, help="there is no way back")
    for command in (listing, requeue):
        command.add_argument(
            "--limit",
            type=int,
            default=1000,
            metavar="N",
            help="look at no more than N; default: %(default)s",
        )
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace, parameters: pika.connection.Parameters) -> int:
    """Do what was asked; returns an exit code.

    Raises:
        BrokerError: no broker, or it does not let this user.
    """
    with _channel(parameters) as channel:
        if arguments.command == "purge":
            print(f"{channel.queue_purge(DEAD_QUEUE).method.message_count} deleted")
            return ExitCode.OK
        letters = list(_held(channel, arguments.limit))
        if arguments.command == "requeue":
            return _requeue(channel, letters, None if arguments.all else set(arguments.crop_id))
    for _, properties, body in letters:
        told = asdict(describe(properties, body))
        print(
            json.dumps(told)
            if arguments.json
            else "  ".join(str(value or "–") for value in told.values())
        )
    return ExitCode.OK


def describe(properties: Any, body: bytes) -> DeadLetter:
    """What may be told of a dead letter."""
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
        queue=death["queue"] if death.get("queue") in _HOMES else None,
        reason=str(death["reason"]) if "reason" in death else None,
        died_at=died_at.isoformat() if isinstance(died_at, dt.datetime) else None,
        problem=problem,
        body_bytes=len(body),
    )


def _requeue(
    channel: Any, letters: Sequence[tuple[int, Any, bytes]], wanted: set[str] | None
) -> int:
    """Each is confirmed in its queue before it leaves this one: a failure may double one, and loses none."""
    channel.confirm_delivery()
    chosen = [letter for letter in letters if wanted is None or letter[1].message_id in wanted]
    back = 0
    for tag, properties, body in chosen:
        crop_id, home = (
            describe(properties, body).crop_id,
            _HOMES.get(_death(properties.headers or {}).get("queue", "")),
        )
        if home is None:
            print(f"{crop_id or 'one without an id'}: stays, it does not say where it came from")
            continue
        properties.headers = {
            name: value for name, value in properties.headers.items() if not name.startswith("x-")
        }
        try:
            channel.basic_publish(*home, body, properties, mandatory=True)
        except (NackError, UnroutableError) as error:
            print(
                f"{crop_id}: stays, its queue does not take it ({type(error).__name__}: full, or missing)"
            )
            continue
        channel.basic_ack(tag)
        back += 1
    missing = sorted((wanted or set()) - {properties.message_id for _, properties, _ in chosen})
    for crop_id in missing:
        print(f"{crop_id!r}: no such dead letter")
    print(f"{back} of {len(chosen) + len(missing)} given back")
    return ExitCode.OK if back == len(chosen) and not missing else ExitCode.UNAVAILABLE


def _held(channel: Any, limit: int) -> Iterator[tuple[int, Any, bytes]]:
    """Tag, properties and body of each; not acknowledged, so that whatever is not given back stays when the connection closes."""
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
