"""``python -m tests.faults.slow_worker MS [HEARTBEAT_S]``: a worker that is too slow for its load.

Its model sleeps ``MS`` milliseconds per crop. ``HEARTBEAT_S`` replaces the heartbeat interval of
the broker connection.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import maskgate.runtime.broker
from maskgate.inference.image import Pixels
from maskgate.inference.model import Model
from worker.__main__ import main

if __name__ == "__main__":
    classify, ms_per_crop = Model.p_mask, float(sys.argv[1])

    def slowly(self: Model, reduced: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        time.sleep(len(reduced) * ms_per_crop / 1000)
        return classify(self, reduced)

    Model.p_mask = slowly  # type: ignore[method-assign,assignment]
    if len(sys.argv) > 2:
        maskgate.runtime.broker.HEARTBEAT_S = int(sys.argv[2])
    sys.exit(main([]))
