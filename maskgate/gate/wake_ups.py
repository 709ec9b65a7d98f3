"""Waits for news of a camera: a wake-up over pub/sub, or a look again after a short time."""

import time
from collections.abc import Generator

from redis.client import PubSub, Redis

from maskgate.gate.errors import gate_errors
from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import history_key

#: Keys are read again after this time at the latest: half-open connections lose wake-ups.
LOOK_AGAIN_S = 0.1


def turns(
    client: Redis, camera: str, timeout_s: float, *, confirm_s: float
) -> Generator[None, None, None]:
    """Yields now, after each wake-up, every 0.1 s, and once more at the timeout.

    Without a timeout it yields once and does not subscribe. ``confirm_s`` is how long Redis may
    take to confirm the subscription.

    Raises:
        StoreError: Redis does not answer.
    """
    deadline_s = time.monotonic() + timeout_s
    if not timeout_s > 0:
        yield
        return
    with gate_errors(), subscription(client) as wake_up:
        wake_up.subscribe(history_key(camera))
        # Wait for the confirmation: a verdict before it would not wake us.
        if wake_up.get_message(timeout=confirm_s) is None:
            msg = f"Redis did not confirm a subscription within {confirm_s} s"
            raise StoreError(msg)
        while True:
            yield
            left_s = deadline_s - time.monotonic()
            if not left_s > 0:
                return
            wake_up.get_message(timeout=min(left_s, LOOK_AGAIN_S))


def subscription(client: Redis) -> PubSub:
    """A subscription for wake-ups, closed by ``with``. Its first message is the confirmation."""
    # redis-py has no types here.
    return client.pubsub()  # type: ignore[no-any-return,no-untyped-call]
