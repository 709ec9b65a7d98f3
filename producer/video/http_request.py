"""Asks an HTTP camera for its pictures; a redirect would carry the password elsewhere."""

import http.client
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from producer.video.errors import VideoError, silence, wrong_credentials
from producer.video.http_auth import authorization
from producer.video.source_address import SourceAddress

CLOSED = "the camera closed the connection"


def pictures_of(
    address: SourceAddress, timeout_s: float, watch: Callable[[socket.socket], None]
) -> http.client.HTTPResponse:
    """The response whose body are the pictures.

    Each step may take ``timeout_s``; ``watch`` gets the socket, to limit the whole.

    Raises:
        VideoError: no answer in time, a refusal, or an answer that is not MJPEG.
    """
    try:
        response = _answer(address, timeout_s, watch)
    except TimeoutError:
        trouble = silence(timeout_s)
    except (OSError, http.client.HTTPException) as error:
        trouble = VideoError(_words(error))
    else:
        if (refusal := _refusal(response, address)) is None:
            return response
        response.close()
        trouble = refusal
    raise trouble


def _answer(
    address: SourceAddress, timeout_s: float, watch: Callable[[socket.socket], None]
) -> http.client.HTTPResponse:
    """A second request answers the camera's challenge. There is no third: it locks accounts."""
    response = _get(address, timeout_s, watch, {})
    if response.status != http.client.UNAUTHORIZED or not address.user:
        return response
    challenges = response.headers.get_all("WWW-Authenticate", [])
    response.close()
    proof = authorization(challenges, _path(address), address.user, address.password)
    if proof is None:
        msg = "the camera wants another authentication than Basic or Digest"
        raise VideoError(msg, is_refusal=True)
    return _get(address, timeout_s, watch, {"Authorization": proof})


def _get(
    address: SourceAddress,
    timeout_s: float,
    watch: Callable[[socket.socket], None],
    headers: dict[str, str],
) -> http.client.HTTPResponse:
    connection = _connection(address, timeout_s)
    try:
        connection.connect()
        watch(connection.sock)
        connection.request("GET", _path(address), headers=headers)
        return connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _connection(address: SourceAddress, timeout_s: float) -> http.client.HTTPConnection:
    url = urlsplit(address.target)
    host = url.hostname or ""
    if not address.is_encrypted:
        return http.client.HTTPConnection(host, url.port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=address.ca_file)
    return http.client.HTTPSConnection(host, url.port, timeout=timeout_s, context=context)


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
    (ConnectionError, CLOSED),
    (http.client.HTTPException, "the answer is not HTTP"),
)
