"""The crop queue as processes see it: implemented on RabbitMQ and inside one process."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from maskgate.protocol.crop import Message
from maskgate.protocol.errors import Reason


class QueueKind(StrEnum):
    """Which queue a crop travels through."""

    LIVE = "live"
    AUDIT = "audit"


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message that a worker has received and not acknowledged yet.

    Tags grow in the order received. ``redelivered``: a worker received the message before and did
    not acknowledge it. The message may be what killed that worker.
    """

    tag: int
    message: Message
    queue: QueueKind
    redelivered: bool = False


class CropConsumer(Protocol):
    """The worker's side of the queue. Not thread-safe: one thread owns it."""

    def connect(self) -> None:
        """Connect (again) and start to consume, with a prefetch of one crop.

        Raises:
            BrokerError: no broker, no permission, no queue.
        """

    def receive(self, limit: int, timeout_s: float) -> list[Delivery]:
        """Up to ``limit`` deliveries: all that have arrived, or else the first within the timeout.

        Raises:
            BrokerError: the connection is lost, and with it all unacknowledged deliveries.
        """

    def read(self) -> None:
        """Read what has arrived and keep it for the next ``receive``; does not wait.

        Raises:
            BrokerError: as for ``receive``.
        """

    def ack(self, batch: Sequence[Delivery], rejected: Mapping[int, Reason]) -> None:
        """Acknowledge a batch, in the order received.

        The tags in ``rejected`` become dead letters with their reason first.

        Raises:
            BrokerError: as for ``receive``; or a dead letter is not taken. The crops that were to
                become dead letters are then not acknowledged.
        """

    def keep_alive(self, duration_s: float) -> None:
        """Wait without receiving. Heartbeats are still sent.

        Raises:
            BrokerError: as for ``receive``.
        """

    def close(self) -> None:
        """Return what is not acknowledged to the queue, and disconnect. Never raises."""


class Refusal(StrEnum):
    """Why the queue did not take a crop."""

    QUEUE_FULL = "queue_full"
    UNROUTABLE = "unroutable"
    NO_BROKER = "no_broker"


@dataclass(slots=True)
class Tally:
    """Counts of a producer's crops. After a flush, offered = accepted + refused + in_doubt."""

    offered: int = 0
    accepted: int = 0
    refusals: Counter[Refusal] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        """Crops that the queue did not take; the producer dropped them."""
        return self.refusals.total()

    @property
    def in_doubt(self) -> int:
        """Crops that were published, but neither confirmed nor refused."""
        return self.offered - self.accepted - self.refused


class CropPublisher(Protocol):
    """The producer's side of the queue. Not thread-safe: one thread owns it."""

    live: Tally
    audit: Tally
    #: Of camera states, which travel in the live queue and are no crops.
    states: Tally

    def publish(self, message: Message, queue: QueueKind = QueueKind.LIVE) -> None:
        """Publish one crop or camera state; waits while too many are unconfirmed.

        A refusal is counted, not raised.
        """

    def rest(self, duration_s: float) -> None:
        """Wait without publishing. Confirmations and heartbeats are still handled."""

    def flush(self, timeout_s: float) -> None:
        """Wait until every crop is confirmed or refused, or the timeout is over."""

    def close(self) -> None:
        """Disconnect. Never raises."""
