"""Opens the face detector that the configuration names."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from maskgate.protocol.errors import ConfigurationError
from producer.video.detection.blazeface import BlazeFace
from producer.video.detection.places import default_file, places
from producer.video.detection.yunet import YuNet
from producer.video.frame import FaceDetector

Kind = Literal["blazeface", "yunet"]

_DETECTORS: dict[str, Callable[..., FaceDetector]] = {"blazeface": BlazeFace, "yunet": YuNet}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SMALLEST_SIDE_PX = 32


def load(
    kind: Kind = "blazeface",
    path: Path | None = None,
    *,
    sha256: str | None = None,
    min_score: float | None = None,
    side_px: int | None = None,
) -> FaceDetector:
    """A face detector whose file was checked. None stands for the detector's own default.

    ``side_px`` is the longer side to which pictures are reduced: smaller is faster and misses
    small faces.

    Raises:
        ConfigurationError: an option is wrong, YuNet has no file, or BlazeFace's is nowhere.
        ModelError: the file can't be read, has another SHA-256, or is no such detector.
    """
    detector = _DETECTORS.get(kind)
    if detector is None:
        msg = f"detector: there is no {kind!r}; use blazeface or yunet"
        raise ConfigurationError(msg)
    options = {"sha256": sha256, "min_score": min_score, "side_px": side_px}
    _check(sha256, min_score, side_px)
    given = {name: value for name, value in options.items() if value is not None}
    return detector(path or _own_file(kind), **given)


def _check(sha256: str | None, min_score: float | None, side_px: int | None) -> None:
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        msg = f"detector_sha256: {sha256!r} is no SHA-256, which has 64 hexadecimal digits"
    elif min_score is not None and not 0 < min_score < 1:
        msg = f"detector_min_score: {min_score} is not between 0 and 1"
    elif side_px is not None and side_px < _SMALLEST_SIDE_PX:
        msg = f"detector_side_px: {side_px} is less than {_SMALLEST_SIDE_PX}"
    else:
        return
    raise ConfigurationError(msg)


def _own_file(kind: Kind) -> Path:
    if kind == "yunet":
        msg = "detector yunet: name its ONNX file with detector_model; maskgate has none"
        raise ConfigurationError(msg)
    if file := default_file():
        return file
    looked = " or ".join(map(str, places()))
    msg = (
        f"no face detector at {looked}; fetch it once with `python -m producer detector`, "
        "or name a file with detector_model"
    )
    raise ConfigurationError(msg)
