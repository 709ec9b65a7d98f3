"""A camera or a file as a source of frames: the newest one, whatever happens to the connection."""

import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path

import av
import structlog

from maskgate.runtime.backoff import Backoff
from maskgate.runtime.clock import Clock, now_ms
from producer.video.capture_clock import CaptureClock
from producer.video.errors import VideoError
from producer.video.frame import Frame
from producer.video.latest import Latest
from producer.video.opening import StreamOptions
from producer.video.pace import Pace
from producer.video.rgb import RgbConverter, must_be_convertible
from producer.video.source_address import SourceAddress
from producer.video.stream import Counts, VideoStream

log = structlog.get_logger()

#: A camera that is back after a power cut is seen again within seconds.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
#: Cameras lock an account for half an hour after some five wrong passwords within minutes.
_REFUSED_WAIT_S = 60.0
#: A connection that lasts so long was a good one; others make the waits longer.
_STABLE_S = 10.0
_CLOSE_S = 1.0


class LiveSource:
    """A :class:`~producer.video.frame.FrameSource`; its thread reads from the beginning.

    The thread decodes every picture, because the next one refers to it; only pictures that are
    taken are converted to RGB. A file is played at its own speed. A camera that is lost is
    connected again for ever; each loss and each return is logged once.
    """

    def __init__(
        self,
        address: SourceAddress,
        camera_id: str,
        *,
        options: StreamOptions | None = None,
        loop: bool = False,
        max_fps: float | None = None,
        max_side: int = 1920,
        backoff: Backoff | None = None,
        clock: Clock = now_ms,
    ) -> None:
        """Start reading. Failures, of the first connection too, are told by ``trouble``.

        ``loop`` repeats a file for ever; ``max_fps`` is how many frames a second are handed out at
        most; frames wider or higher than ``max_side`` pixels are reduced to it.
        """
        self.counts = Counts()
        self.capture = CaptureClock()
        self._address = address
        self._options = options or StreamOptions()
        self._loop = loop
        self._interval_s = 1 / max_fps if max_fps else 0.0
        self._due_s = 0.0
        self._converter = RgbConverter(max_side)
        self._backoff = backoff or Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        self._clock = clock
        self._log = log.bind(camera=camera_id, source=address.shown)
        self._latest = Latest()
        self._stop = threading.Event()
        self._trouble = "not connected yet"
        self._lost = self._in_software = False
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera_id}", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Whether a frame can be taken, at once or within the timeout."""
        until_s = time.monotonic() + timeout_s
        return self._latest.wait(not_before_s=self._due_s, until_s=until_s)

    def newest(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not returned before; None if none came within the timeout."""
        until_s = time.monotonic() + timeout_s
        while self._latest.wait(not_before_s=self._due_s, until_s=until_s):
            picture = self._latest.take()
            if picture is None:  # it was closed meanwhile
                return None
            try:
                pixels = self._converter.pixels(picture.frame)
            except (av.FFmpegError, ValueError):  # a pixel format that swscale does not know
                continue
            self._due_s = self._next_due_s(time.monotonic())
            return Frame(pixels, picture.captured_at_ms)
        return None

    @property
    def trouble(self) -> str:
        """Why there are no frames, without any credentials; empty while they come."""
        return self._trouble

    @property
    def ended(self) -> bool:
        """Whether no frame will follow: a file came to its end, or can't be read (``trouble``)."""
        return self._latest.is_empty_for_good

    def close(self) -> None:
        """Stop reading, within a second. Never raises.

        If FFmpeg waits for a camera, its thread ends a read timeout later.
        """
        self._stop.set()
        self._latest.end(discard=True)
        self._thread.join(_CLOSE_S)

    def _next_due_s(self, now_s: float) -> float:
        """A frame that came late does not move the next ones; one that came much later does."""
        on_time = now_s - self._due_s < self._interval_s / 2
        return (self._due_s if on_time else now_s) + self._interval_s

    def _run(self) -> None:
        while not self._stop.is_set():
            begun_s = time.monotonic()
            error = self._played()
            if self._stop.is_set():
                break
            if not self._address.is_live:
                if error is None and self._loop:
                    continue
                self._end(error)
                break
            if time.monotonic() - begun_s > _STABLE_S:
                self._backoff.reset()
            self._lose(error or VideoError("the camera ended the stream"))
            self._stop.wait(self._wait_s(error))

    def _played(self) -> VideoError | None:
        """Play the source once; returns why it failed, or None at its end."""
        try:
            with VideoStream(
                self._address,
                self._options,
                counts=self.counts,
                capture=self.capture,
                clock=self._clock,
            ) as stream:
                self._play(stream)
        except VideoError as error:
            # Its traceback would keep the decoder's pictures until the garbage collector comes.
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001  (without its thread, a camera would be silent)
            return VideoError(_unexpected(error))
        return None

    def _play(self, stream: VideoStream) -> None:
        pace = Pace(stream.frame_rate)
        for picture in stream.pictures():
            if not self._address.is_live:
                self._stop.wait(pace.wait_s(picture.time_s))
                picture = replace(picture, captured_at_ms=self._clock())  # noqa: PLW2901
            if self._stop.is_set():
                return
            if self._trouble:
                self._find(stream, picture.frame)
            self._latest.put(picture)
        if not self._address.is_live:
            self._stop.wait(pace.rest_s())

    def _find(self, stream: VideoStream, frame: av.VideoFrame) -> None:
        """The first picture since the source was opened or lost."""
        must_be_convertible(frame)
        self._trouble = ""
        self.counts.reconnects += self._lost
        self._lost = False
        self._log.info(
            "camera.connected", codec=stream.codec, width=frame.width, height=frame.height
        )
        if stream.software_because and not self._in_software:
            self._in_software = True
            self._log.warning("camera.software_decoding", reason=stream.software_because)

    def _lose(self, error: VideoError) -> None:
        self._trouble = str(error)
        if not self._lost:
            self._lost = True
            self._log.warning("camera.lost", reason=self._trouble)

    def _end(self, error: VideoError | None) -> None:
        if error is None:
            self._log.info("camera.ended", pictures=self.counts.decoded)
        else:
            self._lose(error)
        self._latest.end()

    def _wait_s(self, error: VideoError | None) -> float:
        wait_s = self._backoff.next_s()
        return max(wait_s, _REFUSED_WAIT_S) if error is not None and error.is_refusal else wait_s


def _unexpected(error: Exception) -> str:
    """Names an error and its place; its text may hold the URL."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
