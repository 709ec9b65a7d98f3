"""Decoded pictures as RGB arrays: any pixel format, upright, and never larger than wanted."""

import re

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from maskgate.inference.image import Pixels
from producer.video.errors import VideoError

#: Larger pictures are refused before they are converted: 8K is 7680 × 4320.
MAX_SIDE = 8192
#: Raw pixels of a sensor, and floats: swscale aborts the process at some of them. No camera sends
#: them, but a file may.
_DEADLY = re.compile(r"^bayer|f(16|32)")


class RgbConverter:
    """Converts frames of one stream; their size and format may change. Not thread-safe."""

    def __init__(self, max_side: int) -> None:
        """``max_side``: pictures that are wider or higher are reduced to it, in pixels."""
        self._max_side = max_side
        self._reformatter = VideoReformatter()

    def pixels(self, frame: av.VideoFrame) -> Pixels:
        """The frame as uint8 RGB (height, width, 3), turned as its display matrix says.

        Raises:
            av.FFmpegError: FFmpeg can't convert it.
            ValueError: likewise.
        """
        if _DEADLY.search(frame.format.name):
            msg = f"{frame.format.name} is not converted"
            raise ValueError(msg)
        scale = min(1.0, self._max_side / max(frame.width, frame.height))
        rgb = self._reformatter.reformat(
            frame,
            width=max(1, round(frame.width * scale)),
            height=max(1, round(frame.height * scale)),
            format="rgb24",
            interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
            threads=1,
        )
        pixels: Pixels = np.rot90(rgb.to_ndarray(), round(frame.rotation / 90) % 4)
        # Without a conversion this is the decoder's own memory, which it still refers to.
        return pixels.copy() if rgb is frame else np.ascontiguousarray(pixels)


def must_be_convertible(frame: av.VideoFrame) -> None:
    """Try the conversion, reduced to one pixel.

    Raises:
        VideoError: pictures of this format can't be shown.
    """
    try:
        RgbConverter(1).pixels(frame)
    except (av.FFmpegError, ValueError):
        trouble = VideoError(f"pictures of the format {frame.format.name} can't be converted")
    else:
        return
    raise trouble
