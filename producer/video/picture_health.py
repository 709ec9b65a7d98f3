"""Whether a camera's pictures can show faces: recognised from the pictures, told once."""

from maskgate.inference.image import Pixels
from producer.video.conditions import CameraCondition, ToldCondition
from producer.video.health_limits import HealthLimits
from producer.video.lasting import Lasting, NoiseRemoval, Sharpness
from producer.video.picture_measures import Measures, PictureMeasures

_FROM_SOURCE = (CameraCondition.NO_SIGNAL, CameraCondition.STALLED)


class PictureHealth:
    """The condition of one camera. Not thread-safe.

    A condition is told after it held for ``hold_s`` and is over after it was gone for ``gone_s``.
    Of several, the first in the order of ``CameraCondition`` is told: a black picture has no
    structure either. The times of all calls are monotonic seconds and do not decrease.
    """

    def __init__(self, limits: HealthLimits | None = None) -> None:
        self._limits = limits or HealthLimits()
        self._measures = PictureMeasures(self._limits)
        self._lasting: dict[CameraCondition, Lasting] = {
            condition: Lasting(self._limits)
            for condition in CameraCondition
            if condition != CameraCondition.UP
        }
        self._removal = NoiseRemoval(self._limits)
        self._sharpness = Sharpness(self._limits)
        self._state: ToldCondition | None = None
        self._measured_s = float("-inf")
        self._frame_s: float | None = None

    def frame(self, pixels: Pixels, at_s: float, visible: Pixels | None = None) -> ToldCondition:
        """Judge a frame: RGB, uint8 (height, width, 3).

        ``visible``, uint8 (height, width), is 0 where the frame was blacked out; hand over the same
        array as long as it is the same. Pictures smaller than 320×240 are not judged for focus.
        """
        self._frame_s = at_s
        if self._state is None or at_s - self._measured_s >= self._limits.interval_s:
            self._measured_s = at_s
            measures = self._measures.measure(pixels, visible)
            holding = set() if measures is None else self._holding(measures, at_s)
            for condition, lasting in self._lasting.items():
                lasting.see(holds=condition in holding, at_s=at_s)
        return self._told(at_s)

    def no_frame(self, at_s: float, trouble: str = "") -> ToldCondition:
        """Judge that no frame came: call it whenever the wait for one ends without.

        ``trouble`` is that of the source: with it a silent camera has no signal, else it is
        stalled. Conditions of the picture stay as they were.
        """
        if self._frame_s is None:
            self._frame_s = at_s  # the start: the source connects
        if at_s - self._frame_s >= self._limits.silent_s:
            found = CameraCondition.NO_SIGNAL if trouble else CameraCondition.STALLED
            for condition in _FROM_SOURCE:
                self._lasting[condition].force(told=condition == found, at_s=at_s)
        return self._told(at_s)

    def _holding(self, measures: Measures, at_s: float) -> set[CameraCondition]:
        """The conditions that hold on one picture."""
        holding = {condition for condition, holds in self._seen(measures).items() if holds}
        if measures.sharpness is None or holding - {CameraCondition.FROZEN}:
            return holding
        if self._sharpness.is_blurred(measures.sharpness):
            holding.add(CameraCondition.OUT_OF_FOCUS)
        elif not holding:
            self._sharpness.learn(measures.sharpness, at_s)
        return holding

    def _seen(self, measures: Measures) -> dict[CameraCondition, bool]:
        limits = self._limits
        dark = measures.mean < limits.dark_mean and measures.p95 < limits.dark_p95
        seen = {
            CameraCondition.DARK: dark,
            CameraCondition.OVEREXPOSED: measures.white > limits.white_share,
            CameraCondition.COVERED: measures.structured <= limits.structured_share,
        }
        if measures.change is not None and measures.background_change is not None:
            self._removal.learn(measures.change, measures.background_change)
            self._lasting[CameraCondition.FROZEN].hold_s = self._removal.still_for_s
            seen[CameraCondition.FROZEN] = measures.change < limits.still_levels
        return seen

    def _told(self, at_s: float) -> ToldCondition:
        told = (condition for condition, lasting in self._lasting.items() if lasting.told)
        condition = next(told, CameraCondition.UP)
        if self._state is None or self._state.condition != condition:
            self._state = ToldCondition(condition, at_s)
        return self._state
