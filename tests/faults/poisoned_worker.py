"""A worker that dies while it decodes a marked body, as if its codec had a bug.

``python -m tests.faults.poisoned_worker``
"""

import os
import signal
import sys

import worker.validate
from maskgate.inference.image import Pixels, decode
from maskgate.inference.limits import Limits
from worker.__main__ import main

POISON = b"kills whoever decodes it"

if __name__ == "__main__":

    def decode_or_die(body: bytes, content_type: str, limits: Limits) -> Pixels:
        if POISON in body:
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(body, content_type, limits)

    worker.validate.decode = decode_or_die  # type: ignore[attr-defined]
    sys.exit(main([]))
