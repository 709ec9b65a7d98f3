"""Sends how a camera is through the queue, so that a door can say "camera down"."""

import time
from collections.abc import Callable

from maskgate.protocol.camera_state import MAX_DETAIL, CameraState, to_message
from maskgate.protocol.crop import Message
from maskgate.runtime.clock import Clock, now_ms
from producer.video.conditions import CameraCondition
from producer.video.metrics import CameraFigures

#: An unchanged state is sent again after so long: it is believed for three times as long.
INTERVAL_S = 5.0
#: A camera that comes and goes tells so once a second.
_LEAST_S = 1.0


class StateReport:
    """The states of one camera; ``figures`` gives what it did until now."""

    def __init__(
        self,
        camera_id: str,
        figures: Callable[[], CameraFigures],
        send: Callable[[Message], None],
        *,
        clock: Clock = now_ms,
    ) -> None:
        self._camera_id = camera_id
        self._figures = figures
        self._send = send
        self._clock = clock
        self._told: CameraCondition | None = None
        self._sent_s = float("-inf")

    def tick(self, condition: CameraCondition, since_s: float, detail: str) -> None:
        """Send the state if it changed or is due; call it often. ``since_s`` is monotonic."""
        waited_s = time.monotonic() - self._sent_s
        if waited_s < (INTERVAL_S if condition is self._told else _LEAST_S):
            return
        self._told, self._sent_s = condition, time.monotonic()
        self._send(to_message(self._camera_id, self._state(condition, since_s, detail)))

    def _state(self, condition: CameraCondition, since_s: float, detail: str) -> CameraState:
        figures, sent_ms = self._figures(), self._clock()
        since_ms = sent_ms - max(0, round((time.monotonic() - since_s) * 1000))
        printable = "".join(each if each.isprintable() else " " for each in detail)
        return CameraState(
            state=condition,
            since_ms=since_ms,
            sent_at_ms=sent_ms,
            detail=printable[:MAX_DETAIL],
            fps=figures.fps,
            detection_ms=figures.detection_ms,
            faces=figures.faces,
            sent=figures.crops,
            held_back=dict(figures.held_back),
            clock_difference_ms=figures.clock_difference_ms,
        )
