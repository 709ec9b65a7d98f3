"""Decodes a source's pictures: bounded in time, size and threads."""

from __future__ import annotations  # PyAV's classes are generic for type checkers only

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import av

from maskgate.runtime.clock import Clock, now_ms
from producer.video.capture_clock import CaptureClock
from producer.video.demuxer import Demuxer, must_fit
from producer.video.errors import VideoError
from producer.video.opening import StreamOptions, hardware_trouble
from producer.video.source_address import SourceAddress, SourceKind

if TYPE_CHECKING:
    from av.video.stream import VideoStream as AvStream


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture in its own pixel format; ``time_s`` is its time stamp in the stream."""

    frame: av.VideoFrame
    time_s: float | None
    captured_at_ms: int


@dataclass(slots=True)
class Counts:
    """What came from a source since it was started. One thread writes, any thread may read."""

    #: Packets with video.
    received: int = 0
    #: Pictures decoded.
    decoded: int = 0
    #: Packets or pictures left out, because they were damaged on the way or can't be converted.
    damaged: int = 0
    #: Returns after a loss.
    reconnects: int = 0


class VideoStream:
    """An open source. Only the thread that opened it may use it: FFmpeg is not thread-safe."""

    def __init__(
        self,
        address: SourceAddress,
        options: StreamOptions | None = None,
        *,
        counts: Counts | None = None,
        capture: CaptureClock | None = None,
        clock: Clock = now_ms,
    ) -> None:
        """Open the source and find its video.

        Raises:
            VideoError: there is none; the message says why.
        """
        self._address = address
        self._options = options or StreamOptions()
        self._clock = clock
        self._capture = capture or CaptureClock()
        self._capture.forget()
        self.counts = counts or Counts()
        self._demuxer = Demuxer(address, self._options)
        self._context = self._demuxer.video.codec_context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def codec(self) -> str:
        """FFmpeg's name of the decoder."""
        return str(self._context.name)

    @property
    def frame_rate(self) -> float:
        """Pictures per second as the source says, or 25."""
        return float(self._demuxer.video.average_rate or 0) or 25.0

    @property
    def software_because(self) -> str:
        """Why hardware was asked for but does not decode; empty if all is as asked."""
        if not self._options.hwaccel or self._context.is_hwaccel:
            return ""
        return hardware_trouble(self._options.hwaccel) or f"it can't decode {self.codec}"

    def close(self) -> None:
        """Close the source. Never raises."""
        self._demuxer.close()

    def pictures(self) -> Iterator[Picture]:
        """All pictures in their order; ends where a file or a camera's stream ends.

        Raises:
            VideoError: no picture in time, the connection broke, or nothing could be decoded.
        """
        shown = 0
        asked_s = time.monotonic()
        for packet in self._demuxer.packets():
            if packet.size:
                self.counts.received += 1
                self._hear(packet)
            for frame in self._sound(packet):
                shown += 1
                self.counts.decoded += 1
                yield self._picture(frame)
                asked_s = time.monotonic()  # the caller's time does not count
            if self._address.is_live and time.monotonic() - asked_s > self._options.read_timeout_s:
                msg = f"no picture could be decoded for {self._options.read_timeout_s:g} s"
                raise VideoError(msg)
        if not shown:
            msg = "no picture could be decoded"
            raise VideoError(msg)

    def _hear(self, packet: av.Packet[AvStream]) -> None:
        """RTCP: FFmpeg puts the time by the camera's clock (AVProducerReferenceTime) beside it."""
        if packet.pts is not None and packet.has_sidedata("prft"):
            (wallclock_us,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
            self._capture.hear(wallclock_us / 1000, float(packet.pts * packet.time_base) * 1000)

    def _sound(self, packet: av.Packet[AvStream]) -> Iterator[av.VideoFrame]:
        """The pictures of a packet without the damaged ones: a smeared face is a wrong one."""
        if packet.is_corrupt and self.codec == "mjpeg":  # cut off; other decoders see it themselves
            self.counts.damaged += 1
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, EOFError):
            self.counts.damaged += 1
            return
        for frame in frames:
            must_fit(frame.width, frame.height)
            if frame.is_corrupt:
                self.counts.damaged += 1
            else:
                yield frame

    def _picture(self, frame: av.VideoFrame) -> Picture:
        time_s = None if frame.pts is None else frame.time
        # MJPEG over HTTP has no time stamps; those that FFmpeg invents mean nothing.
        stamped = self._address.kind in (SourceKind.RTSP, SourceKind.DEVICE)
        stamp_ms = time_s * 1000 if stamped and time_s is not None else None
        return Picture(frame, time_s, self._capture.captured_at_ms(stamp_ms, self._clock()))
