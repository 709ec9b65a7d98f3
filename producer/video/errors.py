"""What can go wrong with a camera's pictures, in plain words and without credentials."""

import time
from collections.abc import Callable
from typing import TypeVar

import av

from maskgate.protocol.errors import MaskgateError
from producer.video.source_address import SourceAddress, SourceKind

T = TypeVar("T")

#: What PyAV raises: its own errors, and Python's for arguments that a build of FFmpeg lacks.
_RAISED = (av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError, EOFError)


class VideoError(MaskgateError):
    """There are no pictures; the message says why, never with credentials.

    ``is_refusal``: user or password are wrong. Cameras lock an account after a few attempts.
    """

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


def plainly(
    action: Callable[[], T], address: SourceAddress, timeout_s: float, *, awaited: str = "answer"
) -> T:
    """Call ``action``; PyAV's errors become :class:`VideoError`.

    ``awaited`` is what did not come if it takes ``timeout_s``.

    PyAV's errors hold the URL with its password, so the new one must not refer to them: it is
    raised where none of them is being handled.

    Raises:
        VideoError: instead of everything that PyAV and FFmpeg raise.
    """
    begun_s = time.monotonic()
    try:
        return action()
    except VideoError:
        raise
    except _RAISED as error:
        # FFmpeg says "invalid data" where an answer that it interrupted ended in the middle.
        late = address.is_live and time.monotonic() - begun_s >= timeout_s
        late = late or isinstance(error, av.error.ExitError | TimeoutError)
        found = silence(timeout_s, awaited) if late else _plain(error, address)
    raise found


def silence(timeout_s: float, awaited: str = "answer") -> VideoError:
    """Something did not come in time."""
    return VideoError(f"no {awaited} within {timeout_s:g} s")


def _plain(error: Exception, address: SourceAddress) -> VideoError:
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return wrong_credentials(address.user)
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return VideoError(words)
    if isinstance(error, ValueError):  # InvalidDataError, or a format that is not let in
        return VideoError(_invalid_data(address))
    if address.kind is SourceKind.RTSP and isinstance(error, OSError):
        return VideoError(_no_connection(address))
    # Only the name: the text may hold the URL.
    return VideoError(f"can't be read ({getattr(error, 'strerror', None) or type(error).__name__})")


_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((FileNotFoundError,), "no such file or device"),
    ((IsADirectoryError,), "is a folder, not a file"),
    ((PermissionError,), "may not be read: permission denied"),
    ((av.error.HTTPNotFoundError,), "the camera has no stream of this name (404)"),
    ((av.error.HTTPError,), "the camera refuses the request"),
    ((ConnectionRefusedError,), "connection refused: nothing listens on this port"),
    ((ConnectionError,), "the camera closed the connection"),
    ((av.error.DecoderNotFoundError,), "its video codec is not supported"),
    ((av.error.DemuxerNotFoundError,), "this build of FFmpeg can't read such sources"),
)


def wrong_credentials(user: str) -> VideoError:
    """The camera refuses user and password, or wants some and got none."""
    words = "wrong user or password" if user else "the camera wants a user and a password"
    return VideoError(words, is_refusal=True)


def _invalid_data(address: SourceAddress) -> str:
    if address.is_live:
        return "the answer is not a video stream"
    return "not a video, or a damaged one"


def _no_connection(address: SourceAddress) -> str:
    if address.is_encrypted:
        return "no TLS connection: is the host right, and its certificate trusted (CA file)?"
    return "no connection: is the host right and reachable?"
