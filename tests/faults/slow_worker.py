"""A worker whose model takes so many milliseconds a crop, asleep: ``python -m tests.faults.slow_worker MS``. Too weak for its doors."""

import sys
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contract.image import Pixels
from contract.model import Model
from worker.__main__ import main

if __name__ == "__main__":
    classify, ms_per_crop = Model.p_mask, float(sys.argv[1])

    def slowly(self: Model, reduced: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        time.sleep(len(reduced) * ms_per_crop / 1000)
        return classify(self, reduced)

    Model.p_mask = slowly  # type: ignore[method-assign,assignment]
    sys.exit(main([]))
