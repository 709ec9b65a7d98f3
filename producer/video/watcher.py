"""Judges how a camera is, tells it once, and keeps what is private from everything else."""

import time
from collections.abc import Callable

import structlog

from producer.video.conditions import CameraCondition, ToldCondition
from producer.video.film import Rate
from producer.video.frame import Frame
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions

log = structlog.get_logger()


class PictureWatcher:
    """See :class:`producer.video.film.Watcher`. Logs each change of the camera's condition.

    ``tell`` calls ``tick`` with the condition, since when in monotonic seconds, and the trouble.
    """

    def __init__(
        self,
        camera_id: str,
        regions: Regions,
        health: PictureHealth,
        tick: Callable[[CameraCondition, float, str], None] = lambda *_: None,
    ) -> None:
        self.state = ToldCondition(CameraCondition.NO_SIGNAL, time.monotonic())
        self._camera_id = camera_id
        self._regions = regions
        self._health = health
        self._rate = Rate()
        self._has_seen = False
        self._tick = tick
        self._untold: str | None = None

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self._rate.per_s

    def seen(self, frame: Frame) -> Frame:
        """See :class:`producer.video.film.Watcher`."""
        self._has_seen = True
        self._rate.count()
        pixels = self._regions.apply(frame.pixels)
        height, width = pixels.shape[:2]
        visible = self._regions.visible(height, width)
        self._judged(self._health.frame(pixels, time.monotonic(), visible), "")
        return Frame(pixels, frame.captured_at_ms)

    def missed(self, trouble: str) -> None:
        """See :class:`producer.video.film.Watcher`."""
        state = self._health.no_frame(time.monotonic(), trouble)
        if self._has_seen or state.condition is not CameraCondition.UP:
            self._judged(state, trouble)

    def tell(self) -> None:
        """See :class:`producer.video.film.Watcher`."""
        trouble, self._untold = self._untold, None
        if trouble is not None:
            self._tick(self.state.condition, self.state.since_s, trouble)

    def _judged(self, state: ToldCondition, trouble: str) -> None:
        before, self.state = self.state, state
        self._untold = trouble
        if state.condition is before.condition:
            return
        if state.condition is CameraCondition.UP:
            log.info("camera.up", camera=self._camera_id)
        else:
            log.warning(
                "camera.down",
                camera=self._camera_id,
                condition=state.condition.value,
                trouble=trouble or None,
            )
