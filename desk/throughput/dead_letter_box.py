"""Lists, requeues and deletes dead letters for the page. No picture leaves this module."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pika

from maskgate.operations.dead_letters import Letter, Requeuer, connected, letters, purge
from maskgate.protocol.dead_letter import describe, handle
from maskgate.protocol.topology import DEAD_QUEUE

#: As many as the queue holds (deploy/rabbitmq/definitions.json).
MOST = 1000
#: What another look has just returned to the queue is there again after milliseconds.
_ATTEMPTS, _PAUSE_S = 5, 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """What the page shows of a letter; what is not valid or not known is None."""

    handle: str
    crop_id: str | None
    camera_id: str | None
    queue: str | None
    reason: str | None
    died_at_ms: int | None
    body_bytes: int


@dataclass(slots=True)
class Done:
    """How many letters an action took out of the queue, and why others stay: reason → count."""

    count: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    #: Whether the one that was wanted is there.
    found: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """The oldest letters, and how many there are."""

    rows: Sequence[Row]
    total: int


#: Called with a letter before it is given back or deleted. An error leaves the letter.
Before = Callable[[Row], None]


class DeadLetterBox:
    """One action at a time: another one would not see the letters that the first one reads.

    All methods raise BrokerError if there is no broker, or it refuses the user.
    """

    def __init__(self, parameters: pika.connection.Parameters) -> None:
        self._parameters = parameters
        self._lock = threading.Lock()

    def listing(self, limit: int = MOST) -> Listing:
        """The oldest letters. They stay where they are."""
        with self._lock, connected(self._parameters) as connection:
            channel = connection.channel()
            total = channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count
            rows = [_row(letter) for letter in letters(channel, limit)]
            return Listing(rows, max(total, len(rows)))

    def requeue(self, before: Before, wanted: str | None = None) -> Done:
        """Give one letter back to the queue that it came from, or all of them."""
        return self._each(before, wanted, _requeue)

    def delete(self, before: Before, wanted: str) -> Done:
        """Delete one letter."""
        return self._each(before, wanted, _delete)

    def purge(self) -> Done:
        """Delete all letters."""
        with self._lock, connected(self._parameters) as connection:
            return Done(purge(connection))

    def _each(self, before: Before, wanted: str | None, act: "_Act") -> Done:
        done = Done()
        with self._lock, connected(self._parameters) as connection:
            for _ in range(_ATTEMPTS):
                done = self._once(connection, before, wanted, act)
                if done.found:
                    break
                time.sleep(_PAUSE_S)
        return done

    def _once(self, connection: Any, before: Before, wanted: str | None, act: "_Act") -> Done:
        done, requeuer, channel = (
            Done(found=wanted is None),
            Requeuer(connection),
            connection.channel(),
        )
        for letter in letters(channel, MOST):
            if wanted is not None and handle(letter.message) != wanted:
                continue
            done.found = True
            before(_row(letter))
            refusal = act(requeuer, letter)
            if refusal:
                done.refused[refusal] += 1
            else:
                done.count += 1
        if channel.is_open:
            channel.close()
        return done


_Act = Callable[[Requeuer, Letter], str | None]


def _requeue(requeuer: Requeuer, letter: Letter) -> str | None:
    return requeuer.requeue(letter)


def _delete(_: Requeuer, letter: Letter) -> str | None:
    letter.acknowledge()
    return None


def _row(letter: Letter) -> Row:
    shown = describe(letter.message)
    died_at_ms = (
        int(datetime.fromisoformat(shown.died_at).timestamp() * 1000) if shown.died_at else None
    )
    return Row(
        handle(letter.message),
        shown.crop_id,
        shown.camera_id,
        shown.queue,
        shown.reason,
        died_at_ms,
        shown.body_bytes,
    )


def by_reason(rows: Sequence[Row]) -> Mapping[str, int]:
    """How many letters there are for each reason, most first."""
    return dict(Counter(row.reason or "unknown" for row in rows).most_common())
