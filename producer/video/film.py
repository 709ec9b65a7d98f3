"""The loop of one camera: take the newest frame, send its faces, say how the camera is."""

import time
from collections import deque
from typing import Protocol

from maskgate.protocol.queue import CropPublisher
from maskgate.runtime.stop import Stop
from producer.video.camera import Camera
from producer.video.frame import Frame, FrameSource
from producer.video.turns import TURNS

#: Without a frame for so long, the publisher has its turn and the state is judged.
_WAIT_S = 0.1
#: The publisher's turn after each frame: confirmations and heartbeats.
_TURN_S = 0.001


class Watcher(Protocol):
    """Judges how a camera is, and tells the operators."""

    def seen(self, frame: Frame) -> Frame:
        """Judge a frame; returns the frame that may be worked on, without what is private."""

    def missed(self, trouble: str) -> None:
        """No frame came for a moment; ``trouble`` is why, if the source knows."""

    def tell(self) -> None:
        """Tell the operators what ``seen`` or ``missed`` found; may wait for the broker."""


def film(
    source: FrameSource,
    camera: Camera,
    publisher: CropPublisher,
    watcher: Watcher,
    *,
    stop: Stop,
) -> None:
    """Until a stop is requested or a file has ended."""
    while not stop.requested and not source.ended:
        if source.wait(_WAIT_S):
            _work(source, camera, watcher)
        elif not source.ended:
            watcher.missed(source.trouble)
        watcher.tell()
        publisher.rest(_TURN_S)
    camera.end()


def _work(source: FrameSource, camera: Camera, watcher: Watcher) -> None:
    """Find the faces on the frame that is the newest when it is this camera's turn; send the best.

    Whoever waits for a turn may see newer frames meanwhile: an older one would be as late as the
    wait was long. What may wait for the broker comes after the turn.
    """
    with TURNS:
        frame = source.newest(0)
        if frame is None:
            return
        frame = watcher.seen(frame)
        tracks = camera.find(frame)
    camera.send_best(frame, tracks)


class Rate:
    """Events a second over the last seconds."""

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def count(self) -> None:
        """Something happened now."""
        self._times.append(time.monotonic())

    @property
    def per_s(self) -> float:
        """How often a second."""
        while self._times and self._times[0] < time.monotonic() - self._window_s:
            self._times.popleft()
        return len(self._times) / self._window_s
