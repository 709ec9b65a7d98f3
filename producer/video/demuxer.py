"""The packets of a source's video, with every failure in plain words."""

from __future__ import annotations  # PyAV's classes are generic for type checkers only

from contextlib import ExitStack
from typing import TYPE_CHECKING

from producer.video.errors import VideoError, plainly
from producer.video.http_stream import HttpStream
from producer.video.opening import StreamOptions, opened
from producer.video.rgb import MAX_SIDE
from producer.video.source_address import SourceAddress, SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av
    from av.video.stream import VideoStream as AvStream


class Demuxer:
    """An open source. Only the thread that opened it may use it: FFmpeg is not thread-safe."""

    def __init__(self, address: SourceAddress, options: StreamOptions) -> None:
        """Open the source and find its video.

        Raises:
            VideoError: there is none; the message says why.
        """
        self._address = address
        self._read_timeout_s = options.read_timeout_s
        self._body: HttpStream | None = None
        if address.kind is SourceKind.HTTP:
            self._body = HttpStream(address, options.open_timeout_s, options.read_timeout_s)
        self._closing = ExitStack()
        if self._body is not None:
            self._closing.callback(self._body.close)
        trouble: VideoError | None = None
        try:
            self._container = opened(address, options, self._body)
            self._closing.callback(self._container.close)
            self.video = _only_video(self._container)
        except VideoError as error:
            trouble = error.with_traceback(None)
        if cause := self._cause() or trouble:
            self.close()
            raise cause

    def close(self) -> None:
        """Close the source. Never raises."""
        self._closing.close()

    def packets(self) -> Iterator[av.Packet[AvStream]]:
        """The packets of the video, and an empty one at the end: the decoder gives its rest.

        Raises:
            VideoError: the next packet does not come in time, or the connection broke.
        """
        packets = self._container.demux(self.video)
        while (packet := self._next(packets)) is not None:
            yield packet

    def _next(self, packets: Iterator[av.Packet[AvStream]]) -> av.Packet[AvStream] | None:
        packet, trouble = None, None
        try:
            packet = plainly(
                lambda: next(packets, None), self._address, self._read_timeout_s, awaited="picture"
            )
        except VideoError as error:
            trouble = error.with_traceback(None)
        # Where the body of an HTTP answer broke off, FFmpeg makes half a picture of what it has.
        if cause := self._cause() or trouble:
            raise cause
        if self._body is not None:
            self._body.picture_ended()
        return packet

    def _cause(self) -> VideoError | None:
        return None if self._body is None else self._body.trouble


def must_fit(width: int, height: int) -> None:
    """Refuse enormous pictures.

    Raises:
        VideoError: it is wider or higher than can be handled.
    """
    if max(width, height) > MAX_SIDE:
        msg = f"pictures of {width}x{height} pixels are too large: at most {MAX_SIDE}x{MAX_SIDE}"
        raise VideoError(msg)


def _only_video(container: av.container.InputContainer) -> AvStream:
    """The first video, with a decoder of one thread that refuses enormous pictures."""
    video = [s for s in container.streams.video if getattr(s, "codec_context", None) is not None]
    if not video:
        known = container.streams.video
        msg = "its video codec is not supported" if known else "holds no video stream"
        raise VideoError(msg)
    context = video[0].codec_context
    must_fit(context.width, context.height)
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_SIDE**2)}
    return video[0]
