"""A worker that dies when its codec gets a marked body, as if the codec had a bug.

``python -m tests.faults.poisoned_worker``
"""

import os
import signal
import sys

import cv2
import numpy as np

import worker.loop
from maskgate.inference.image import Pixels
from worker.__main__ import main

POISON = b"kills whoever decodes it"

if __name__ == "__main__":
    imdecode = cv2.imdecode
    # Fewer deaths than in service. Neighbours that were counted would soon be dead letters, too.
    worker.loop.MAX_ATTEMPTS = 2

    def decode_or_die(body: Pixels, flags: int) -> object:
        if POISON in np.asarray(body).tobytes():
            os.kill(os.getpid(), signal.SIGKILL)
        return imdecode(body, flags)

    cv2.imdecode = decode_or_die  # type: ignore[assignment]
    sys.exit(main([]))
