"""Small videos that tests encode by themselves."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from maskgate.inference.image import Pixels

if TYPE_CHECKING:
    from av.video.stream import VideoStream

#: Milliseconds: the time stamps of these videos.
TIME_BASE = Fraction(1, 1000)


def plain(width: int, height: int, value: int = 128) -> Pixels:
    """A picture of one grey."""
    return np.full((height, width, 3), value, np.uint8)


def stairs(count: int, width: int = 64, height: int = 48) -> list[Pixels]:
    """Pictures of rising brightness: 0, 10, 20 …, so that a test sees which one it got."""
    return [plain(width, height, 10 * step) for step in range(count)]


def encode(
    path: Path,
    pictures: Sequence[Pixels],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times_ms: Iterable[int] | None = None,
    fps: int = 10,
    options: dict[str, str] | None = None,
) -> Path:
    """Write pictures of one size to ``path``; its extension decides the container."""
    stamps = times_ms if times_ms is not None else range(0, 10**9, 1000 // fps)
    with av.open(str(path), "w") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=fps, options=options or {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = TIME_BASE
        for pixels, at_ms in zip(pictures, stamps, strict=False):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = at_ms, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
