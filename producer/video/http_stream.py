"""MJPEG over HTTP(S), read by Python: bounded where FFmpeg's own reader is not.

FFmpeg would collect a picture that never ends until memory is full, and follow a redirect with the
password. Here a picture has a limit in size and time, and a redirect is an error.
"""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

from producer.video.errors import VideoError, wrong_credentials
from producer.video.http_auth import authorization
from producer.video.source_address import SourceAddress

#: Far more than a JPEG of 8192 × 8192 pixels at a camera's quality.
_MAX_PICTURE_BYTES = 64 * 2**20
_CLOSED = "the camera closed the connection"


class HttpStream:
    """The body of a response, as a file for PyAV: it has ``read`` and nothing else."""

    def __init__(
        self, address: SourceAddress, open_timeout_s: float, read_timeout_s: float
    ) -> None:
        """Connect and wait for the headers.

        Raises:
            VideoError: no answer in time, a refusal, or an answer that is not MJPEG.
        """
        self._address = address
        self._read_timeout_s = read_timeout_s
        self._deadline_s = time.monotonic() + open_timeout_s
        self._socket: socket.socket | None = None
        watchdog = threading.Timer(open_timeout_s, self._abort)  # for headers that never end
        watchdog.daemon = True
        watchdog.start()
        try:
            self._response = self._opened(open_timeout_s)
        finally:
            watchdog.cancel()
        self.picture_ended()

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; empty at the end.

        Raises:
            VideoError: the picture takes too long or is too large.
        """
        left_s = self._deadline_s - time.monotonic()
        if self._socket is None or left_s <= 0:
            raise VideoError(self._silence())
        try:
            self._socket.settimeout(left_s)
            chunk = self._response.read1(size)
        except TimeoutError:
            trouble = self._silence()
        except (OSError, http.client.HTTPException, ValueError):
            trouble = _CLOSED
        else:
            self._unfinished += len(chunk)
            if self._unfinished <= _MAX_PICTURE_BYTES:
                return chunk
            trouble = f"a picture has more than {_MAX_PICTURE_BYTES >> 20} MiB"
        raise VideoError(trouble)

    def picture_ended(self) -> None:
        """A picture is complete: the limits begin again."""
        self._unfinished = 0
        self._deadline_s = time.monotonic() + self._read_timeout_s

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._abort()
        with suppress(OSError, http.client.HTTPException):
            self._response.close()

    def _silence(self) -> str:
        return f"no picture was completed within {self._read_timeout_s:g} s"

    def _abort(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _opened(self, timeout_s: float) -> http.client.HTTPResponse:
        try:
            return self._accepted(timeout_s)
        except (OSError, http.client.HTTPException) as error:
            late = isinstance(error, TimeoutError) or time.monotonic() >= self._deadline_s
            trouble = f"no answer within {timeout_s:g} s" if late else _words(error)
        raise VideoError(trouble)

    def _accepted(self, timeout_s: float) -> http.client.HTTPResponse:
        """The response with pictures. A second request answers the camera's challenge, no third."""
        response = self._get(timeout_s, {})
        if response.status == http.client.UNAUTHORIZED and self._address.user:
            challenges = response.headers.get_all("WWW-Authenticate", [])
            response.close()
            proof = authorization(
                challenges, _path(self._address), self._address.user, self._address.password
            )
            if proof is None:
                msg = "the camera wants another authentication than Basic or Digest"
                raise VideoError(msg, is_refusal=True)
            response = self._get(timeout_s, {"Authorization": proof})
        if trouble := _refusal(response, self._address):
            response.close()
            raise trouble
        return response

    def _get(self, timeout_s: float, headers: dict[str, str]) -> http.client.HTTPResponse:
        url = urlsplit(self._address.target)
        host = url.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host,
                url.port,
                timeout=timeout_s,
                context=ssl.create_default_context(cafile=self._address.ca_file),
            )
            if self._address.is_encrypted
            else http.client.HTTPConnection(host, url.port, timeout=timeout_s)
        )
        connection.request("GET", _path(self._address), headers=headers)
        self._socket = connection.sock
        return connection.getresponse()


def _path(address: SourceAddress) -> str:
    url = urlsplit(address.target)
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _refusal(response: http.client.HTTPResponse, address: SourceAddress) -> VideoError | None:
    status = response.status
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        return wrong_credentials(address.user)
    if 300 <= status < 400:
        return VideoError(f"the camera redirects elsewhere ({status}): give the final address")
    if status == http.client.NOT_FOUND:
        return VideoError("the camera has no stream of this name (404)")
    if status != http.client.OK:
        return VideoError(f"the camera refuses the request ({status})")
    kind = response.headers.get_content_type()
    if not kind.startswith("multipart/"):
        return VideoError(f"not MJPEG: its content type is {kind[:60]!r}, not multipart/…")
    return None


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return f"no connection ({getattr(error, 'strerror', None) or type(error).__name__})"


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "no TLS connection: does this port speak TLS?"),
    (socket.gaierror, "no such host"),
    (ConnectionRefusedError, "connection refused: nothing listens on this port"),
    (ConnectionError, _CLOSED),
    (http.client.HTTPException, "the answer is not HTTP"),
)
