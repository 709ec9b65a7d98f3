"""Where the default detector's file is looked for."""

import os
from pathlib import Path

FILE_NAME = "face_detection_back.tflite"
#: Beside the classifier: an image is built with the file there.
_BESIDE_MODEL = Path(__file__).parents[3] / "deploy" / "model" / FILE_NAME


def places() -> list[Path]:
    """All places, the first one first."""
    cache = _cache_folder()
    return [_BESIDE_MODEL] if cache is None else [_BESIDE_MODEL, cache / "maskgate" / FILE_NAME]


def default_file() -> Path | None:
    """The default detector's file, or None if it was not fetched yet."""
    return next((place for place in places() if place.is_file()), None)


def _cache_folder() -> Path | None:
    """The user's cache as the XDG base directory specification has it; None without a home."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():
        return configured
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None
