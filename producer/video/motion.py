"""What changed from one frame to the next: nothing, something, or the whole picture."""

from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels

_SIZE = (64, 48)
#: Larger pictures are sampled at this size first: reducing 1080p by areas takes 6 ms.
_SAMPLED = (640, 480)
#: Grey levels by which a cell must change; noise that is averaged over a cell stays below.
_CELL = 6.0
#: How many of the cells: a face that is large enough to be sent covers more.
_MOVING = 3
#: Mean change of the cells when a stream is cut or a camera is turned. Measured: 85 at a cut, at
#: most 13 between the frames of two clips with people.
_CUT = 40.0


class Change(Enum):
    """How much a frame differs from the one before."""

    NONE = "none"
    MOTION = "motion"
    CUT = "cut"


class Motion:
    """Compares the frames of one camera, each with the last in which something moved."""

    def __init__(self) -> None:
        self._before: npt.NDArray[np.float32] | None = None

    def change(self, pixels: Pixels) -> Change:
        """What changed; the first frame is a cut."""
        if pixels.shape[0] * pixels.shape[1] > _SAMPLED[0] * _SAMPLED[1]:
            pixels = np.asarray(cv2.resize(pixels, _SAMPLED, interpolation=cv2.INTER_NEAREST))
        small = cv2.resize(pixels, _SIZE, interpolation=cv2.INTER_AREA)
        now = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
        before, self._before = self._before, now
        if before is None:
            return Change.CUT
        difference = np.abs(now - before)
        if float(difference.mean()) > _CUT:
            return Change.CUT
        if int((difference > _CELL).sum()) >= _MOVING:
            return Change.MOTION
        self._before = before  # so that slow movements add up
        return Change.NONE
