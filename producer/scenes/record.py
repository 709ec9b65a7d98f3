"""Drawn videos: frames to push somewhere, and files of H.264."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime import logs
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.settings import load
from producer.scenes.everyday import Everyday
from producer.scenes.scripts import SCRIPTS, random_visit
from producer.scenes.settings import DrawVideoSettings
from producer.scenes.truth import Film

#: The names that :func:`film` takes.
FILMS = ("everyday", "random_visit", *SCRIPTS)
#: Key frames exactly each second, none at changes of the picture; frames in the order of time.
_X264 = {"preset": "veryfast", "crf": "21", "sc_threshold": "0", "bf": "0", "threads": "1"}


def main(program: str, options: list[str]) -> int:
    """``python -m producer draw-video``: writes the file; returns an exit code.

    Raises:
        ConfigurationError: a setting is wrong, there is no such script, or the file can't be
            written.
    """
    settings = load(DrawVideoSettings, options, program)
    logs.configure("producer", level=settings.log_level, as_json=settings.log_json)
    shown = film(settings.script, settings.seed)
    count = record(shown, settings.output, fps=settings.fps, seconds=settings.seconds)
    print(f"{settings.output}: {count} frames, {count / settings.fps:.1f} s")
    return ExitCode.OK


def film(name: str, seed: int) -> Film:
    """A film by its name; the same seed gives the same film.

    Raises:
        ConfigurationError: there is no such film.
    """
    if name == "everyday":
        return Everyday(seed)
    if name == "random_visit":
        return random_visit(seed)
    if name not in SCRIPTS:
        msg = f"no drawn film {name!r}; there are {', '.join(FILMS)}"
        raise ConfigurationError(msg)
    return SCRIPTS[name](seed, seed)


def frames(shown: Film, fps: float, seconds: float | None = None) -> Iterator[tuple[float, Pixels]]:
    """Times in seconds from 0 on and pictures, until the film or the seconds end.

    Does not wait between them.
    """
    end_s = shown.duration_s if seconds is None else min(seconds, shown.duration_s)
    number = 0
    while number / fps < end_s:
        yield number / fps, shown.frame(number / fps)
        number += 1


def record(shown: Film, path: Path, *, fps: int, seconds: float) -> int:
    """Write a film as H.264 with a key frame each second; returns the number of frames.

    The ending of the name decides about the container: .mp4 or .mkv, for example.

    Raises:
        ConfigurationError: the file can't be written.
    """
    try:
        return _record(shown, path, fps, seconds)
    except (FFmpegError, OSError, ValueError) as error:
        msg = f"{path}: {error}"
        raise ConfigurationError(msg) from None


def _record(shown: Film, path: Path, fps: int, seconds: float) -> int:
    count = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = fps
        stream.time_base = Fraction(1, fps)
        stream.options = dict(_X264)
        for _, pixels in frames(shown, fps, seconds):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if not count:
                stream.height, stream.width = pixels.shape[:2]
            picture.pts, picture.time_base = count, Fraction(1, fps)
            container.mux(stream.encode(picture))
            count += 1
        container.mux(stream.encode(None))
    return count
