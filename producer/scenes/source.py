"""A drawn film as a camera: its frames come in real time."""

import time

from maskgate.runtime.clock import Clock, now_ms
from producer.scenes.scene import Film
from producer.video.frame import Frame


class FilmSource:
    """See :class:`producer.video.frame.FrameSource`."""

    trouble = ""

    def __init__(self, film: Film, fps: float, *, clock: Clock = now_ms) -> None:
        self._film = film
        self._fps = fps
        self._clock = clock
        self._begun_s = time.monotonic()
        self._number = -1

    def wait(self, timeout_s: float) -> bool:
        """See :class:`producer.video.frame.FrameSource`."""
        due_s = self._begun_s + (self._number + 1) / self._fps
        wait_s = due_s - time.monotonic()
        time.sleep(min(max(0.0, wait_s), timeout_s))
        return wait_s <= timeout_s

    def newest(self, timeout_s: float) -> Frame | None:
        """See :class:`producer.video.frame.FrameSource`. A frame that nobody took is skipped."""
        if not self.wait(timeout_s):
            return None
        self._number = int((time.monotonic() - self._begun_s) * self._fps)
        if self.ended:
            return None
        return Frame(self._film.frame(self._number / self._fps), self._clock())

    @property
    def ended(self) -> bool:
        """Whether the film is over."""
        return self._number / self._fps >= self._film.duration_s

    def close(self) -> None:
        """Does nothing: there is no connection."""
