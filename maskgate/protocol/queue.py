"""The two ends of the crop queue, as the processes see them; RabbitMQ and the in-process queue both provide them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from maskgate.protocol.crop import Message


class QueueKind(StrEnum):
    """Which queue a crop travels through."""

    LIVE = "live"
    AUDIT = "audit"


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message that a worker holds and has not settled yet. Tags grow in the order of arrival.

    ``redelivered``: somebody held it before and did not settle it. It may be what ended them.
    """

    tag: int
    message: Message
    queue: QueueKind
    redelivered: bool = False


class CropIntake(Protocol):
    """The worker's end. Not thread-safe: one thread owns it."""

    def connect(self) -> None:
        """Connect (again) and start taking, with a window of one crop.

        Raises:
            BrokerError: no broker, no permission, no queue.
        """

    def receive(self, limit: int, timeout_s: float) -> list[Delivery]:
        """Up to ``limit`` deliveries: what has arrived already, or what arrives first within the timeout; maybe none.

        Raises:
            BrokerError: the connection is gone, and with it all unsettled deliveries.
        """

    def read(self) -> None:
        """Read what has come, without waiting, and keep it for the next ``receive``: for whoever waits for something else meanwhile.

        Raises:
            BrokerError: as above.
        """

    def settle(self, batch: Sequence[Delivery], rejected: Collection[int]) -> None:
        """End a batch, in the order received: the rejected tags go to the dead-letter queue, all others are done.

        Raises:
            BrokerError: as above.
        """

    def keep_alive(self, duration_s: float) -> None:
        """Take nothing for a while, but keep the connection's heartbeats going.

        Raises:
            BrokerError: as above.
        """

    def close(self) -> None:
        """Give back what is not settled, and disconnect. Never raises."""


class Refusal(StrEnum):
    """Why a crop was not handed over."""

    QUEUE_FULL = "queue_full"
    UNROUTABLE = "unroutable"
    NO_BROKER = "no_broker"


@dataclass(slots=True)
class Tally:
    """What became of the crops that a producer offered: ``offered == accepted + refused + in_doubt`` once flushed."""

    offered: int = 0
    accepted: int = 0
    refusals: Counter[Refusal] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        """Crops that the producer could not hand over and dropped."""
        return self.refusals.total()

    @property
    def in_doubt(self) -> int:
        """Crops handed to the broker whose confirmation never came."""
        return self.offered - self.accepted - self.refused


class CropOutlet(Protocol):
    """The producer's end. Not thread-safe: one thread owns it."""

    live: Tally
    audit: Tally

    def offer(self, message: Message, *, audit: bool = False) -> None:
        """Hand over one crop; waits while too many are unconfirmed. What is refused is counted, never raised."""

    def rest(self, duration_s: float) -> None:
        """Offer nothing for a while, but keep confirmations and heartbeats going."""

    def flush(self, timeout_s: float) -> None:
        """Wait until every crop is confirmed or refused, at most so long."""

    def close(self) -> None:
        """Disconnect. Never raises."""
