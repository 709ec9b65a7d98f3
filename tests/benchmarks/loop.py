"""The upper limit without broker and Redis: decodes and classifies in one process.

``python -m tests.benchmarks.loop CONTENT_TYPE SECONDS``: the worker's own functions, in full
batches. Prints crops per second.
"""

import os
import sys
import time

# As the worker does.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from maskgate.inference.image import decode
from maskgate.inference.limits import crop_limits
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from tests.benchmarks.stand import bodies
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL

_BATCH = 64


def main(content_type: str, seconds: float) -> float:
    """Crops per second."""
    model, crops = Model.load(THUMBNAIL_MODEL), bodies(content_type)[:_BATCH]
    shape, limits = model.card.input, crop_limits(model.card.input)
    done, begun_s = 0, 0.0
    for warm in (False, True):
        begun_s, until_s, done = (
            time.perf_counter(),
            time.perf_counter() + (seconds if warm else 0.2),
            0,
        )
        while time.perf_counter() < until_s:
            model.p_mask([reduce(decode(body, content_type, limits), shape) for body in crops])
            done += len(crops)
    return done / (time.perf_counter() - begun_s)


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2])))
