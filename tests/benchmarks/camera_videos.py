"""The videos that cameras are measured with: one drawn person who stands, at two sizes."""

from __future__ import annotations  # PyAV's classes are generic for type checkers only

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
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


def shifted(path: Path, count: int) -> list[Path]:
    """The video ``count`` times, each beginning at another second: no two cameras show the same.

    Whole groups of pictures change places, and nothing is encoded again.
    """
    return [_shifted(path, i) for i in range(count)]


def _shifted(path: Path, seconds: int) -> Path:
    out = path.with_stem(f"{path.stem}-{seconds}")
    with av.open(str(path)) as source, av.open(str(out), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        groups: list[list[av.Packet[av.VideoStream]]] = []
        for packet in source.demux(video=0):
            if packet.is_keyframe:
                groups.append([])
            if packet.size:
                groups[-1].append(packet)
        first = seconds % len(groups)
        for number, packet in enumerate(chain(*groups[first:], *groups[:first])):
            packet.stream, packet.time_base = stream, Fraction(1, FPS)
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)
    return out


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
