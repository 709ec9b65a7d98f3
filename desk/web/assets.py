"""Which of the page's libraries are there: each is served only if it is the expected file."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from desk.web.packages import PACKAGES

_MAX_BYTES = 16 << 20
#: An image is built with the files here.
_BESIDE = Path(__file__).parents[2] / "deploy" / "desk-assets"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assets:
    """The files that are there: name on the page → address on this server."""

    folder: Path
    files: Mapping[str, str]


def default_folder() -> Path:
    """Where the files are looked for: beside the code, else in the user's cache."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if _BESIDE.is_dir():
        return _BESIDE
    try:
        cache = configured if configured.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return _BESIDE
    return cache / "maskgate" / "desk-assets"


def find(folder: Path) -> Assets:
    """The files of a folder that are the expected ones; the log names what is missing."""
    found, missing = {}, []
    for package in PACKAGES:
        for key, (_, sha256) in package.members.items():
            name = package.file_name(key)
            if is_there(folder / name, sha256):
                found[key] = f"/assets/{name}"
            else:
                missing.append(name)
    if missing:
        log.warning(
            "desk.without_assets",
            missing=missing,
            folder=str(folder),
            remedy="run python -m desk assets; until then the page works without these scripts",
        )
    return Assets(folder, found)


def is_there(path: Path, sha256: str) -> bool:
    """Whether a file is the one with this hash."""
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(_MAX_BYTES)).hexdigest() == sha256
    except OSError:
        return False
