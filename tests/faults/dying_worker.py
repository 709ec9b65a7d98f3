"""A worker that kills itself at one point between receiving a crop and acknowledging it.

``python -m tests.faults.dying_worker POINT NTH``: the real worker, whose parts are wrapped. It uses
SIGKILL, so nothing is cleaned up.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from redis.connection import Connection

from maskgate.inference.model import Model
from worker.__main__ import main
from worker.broker.rabbit import RabbitConsumer

#: The steps of a batch, in order.
POINTS = ("received", "decoded", "inferred", "writing", "written", "acknowledging", "acknowledged")
_SENDS_VERDICTS = b"_verdicts"


def _wrap(
    owner: Any, name: str, point: str, *, before: bool, when: Callable[..., bool] = lambda *_: True
) -> None:
    """Die before or after the NTH call of ``owner.name`` for which ``when`` is true."""
    original, left = getattr(owner, name), [int(sys.argv[2])]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = None if before else original(*arguments, **named)
        if when(result, *arguments):
            left[0] -= 1
            if left[0] <= 0:
                print(f'{{"event": "dying", "point": "{point}"}}', flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named) if before else result

    setattr(owner, name, wrapped)


def _sends_verdicts(_result: object, _connection: object, command: object, *_: object) -> bool:
    parts = command if isinstance(command, list | tuple) else [command]
    return any(
        _SENDS_VERDICTS in part
        for part in parts
        if isinstance(part, bytes | bytearray | memoryview)
    )


_ARM: dict[str, Callable[[], None]] = {
    "received": lambda: _wrap(
        RabbitConsumer, "receive", "received", before=False, when=lambda batch, *_: bool(batch)
    ),
    "decoded": lambda: _wrap(Model, "p_mask", "decoded", before=True),
    "inferred": lambda: _wrap(Model, "p_mask", "inferred", before=False),
    # Sent to Redis, reply not read: Redis may or may not have executed the command.
    "writing": lambda: _wrap(
        Connection, "send_packed_command", "writing", before=False, when=_sends_verdicts
    ),
    "written": lambda: _wrap(RabbitConsumer, "ack", "written", before=True),
    "acknowledging": lambda: _wrap(BlockingChannel, "basic_ack", "acknowledging", before=True),
    "acknowledged": lambda: _wrap(RabbitConsumer, "ack", "acknowledged", before=False),
}

if __name__ == "__main__":
    _ARM[sys.argv[1]]()
    sys.exit(main([]))
