"""The videos that cameras are measured with: one drawn person who stands, at two sizes."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from producer.scenes.record import film, record

#: Width and height in pixels, by the name of the size.
SIZES = {"640 × 480": (640, 480), "1080p": (1920, 1080)}
FPS = 25
#: Of its 9 s somebody is in the picture for 8, with and without a mask.
_SCRIPT, _SECONDS = "mask_on_and_off", 9.0
_X264 = {"preset": "veryfast", "crf": "21", "bf": "0", "threads": "1"}


def video(size: str, folder: Path) -> Path:
    """Draw the video, H.264 at 25 frames/s with a key frame each second; returns its path."""
    width, height = SIZES[size]
    path = folder / f"{height}.mp4"
    if path.is_file():
        return path
    if size == "640 × 480":
        record(film(_SCRIPT, 0), path, fps=FPS, seconds=_SECONDS)
    else:
        _enlarge(video("640 × 480", folder), path, width, height)
    return path


def _enlarge(source: Path, path: Path, width: int, height: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size, stream.options = FPS, dict(_X264)
        for number, frame in enumerate(_frames(source)):
            large = frame.reformat(width=width, height=height, format="yuv420p")
            large.pts, large.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(large))
        container.mux(stream.encode(None))


def _frames(source: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(source)) as container:
        yield from container.decode(video=0)
