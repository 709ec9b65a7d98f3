"""MJPEG over HTTP(S), read by Python: bounded where FFmpeg's own reader is not.

FFmpeg would collect a picture that never ends until memory is full, and follow a redirect with the
password. Here a picture has a limit in size and time, and a redirect is an error.
"""

import http.client
import socket
import threading
import time
from contextlib import suppress

from producer.video.errors import VideoError, silence
from producer.video.http_request import CLOSED, pictures_of
from producer.video.source_address import SourceAddress

#: Far more than a JPEG of 8192 × 8192 pixels at a camera's quality.
_MAX_PICTURE_BYTES = 64 * 2**20


class HttpStream:
    """The body of a response, as a file for PyAV: what that needs is ``read``.

    ``read`` raises nothing, since PyAV would print it; ``trouble`` says why the body has ended.
    """

    def __init__(
        self, address: SourceAddress, open_timeout_s: float, read_timeout_s: float
    ) -> None:
        """Connect and wait for the headers.

        Raises:
            VideoError: no answer in time, a refusal, or an answer that is not MJPEG.
        """
        #: Why there is nothing more to read; None while there is.
        self.trouble: VideoError | None = None
        self._read_timeout_s = read_timeout_s
        self._socket: socket.socket | None = None
        self._begin_picture(open_timeout_s)
        watchdog = threading.Timer(open_timeout_s, self._abort)  # for headers that never end
        watchdog.daemon = True
        watchdog.start()
        trouble: VideoError | None = None
        try:
            self._response = pictures_of(address, open_timeout_s, self._watch)
        except VideoError as error:
            trouble = error.with_traceback(None)
        watchdog.cancel()
        if time.monotonic() >= self._deadline_s:  # what the watchdog cut off looks like an error
            self._abort()
            trouble = silence(open_timeout_s)
        if trouble is not None:
            raise trouble
        self._begin_picture(open_timeout_s)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; empty at the end, or if the picture takes too long or too much."""
        if self.trouble is not None or self._socket is None:
            return b""
        try:
            self._socket.settimeout(max(0.001, self._deadline_s - time.monotonic()))
            chunk = self._response.read1(size)
        except TimeoutError:
            self.trouble = silence(self._limit_s, "picture")
        except (OSError, http.client.HTTPException, ValueError):
            self.trouble = VideoError(CLOSED)
        else:
            self._unfinished += len(chunk)
            if self._unfinished <= _MAX_PICTURE_BYTES and time.monotonic() < self._deadline_s:
                return chunk
            self.trouble = self._excess()
        return b""

    def picture_ended(self) -> None:
        """A picture is complete: the limits begin again."""
        self._begin_picture(self._read_timeout_s)

    def _begin_picture(self, limit_s: float) -> None:
        self._unfinished = 0
        self._limit_s = limit_s
        self._deadline_s = time.monotonic() + limit_s

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._abort()
        with suppress(OSError, http.client.HTTPException):
            self._response.close()

    def _excess(self) -> VideoError:
        if self._unfinished > _MAX_PICTURE_BYTES:
            return VideoError(f"a picture has more than {_MAX_PICTURE_BYTES >> 20} MiB")
        return silence(self._limit_s, "picture")

    def _watch(self, connected: socket.socket) -> None:
        self._socket = connected

    def _abort(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
