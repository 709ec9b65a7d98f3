"""A worker that dies while it decodes a marked body, as if its codec had a bug.

``python -m tests.faults.poisoned_worker``
"""

import os
import signal
import sys

import worker.loop
import worker.validate
from maskgate.inference.image import Pixels, decode
from worker.__main__ import main

POISON = b"kills whoever decodes it"

if __name__ == "__main__":
    # Fewer deaths than in service. Neighbours that were counted would soon be dead letters, too.
    worker.loop.MAX_ATTEMPTS = 2

    def decode_or_die(body: bytes, content_type: str) -> Pixels:
        if POISON in body:
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(body, content_type)

    worker.validate.decode = decode_or_die  # type: ignore[assignment,attr-defined]
    sys.exit(main([]))
