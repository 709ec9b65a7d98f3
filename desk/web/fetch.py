"""``python -m desk assets``: fetches what draws the page's plots from npm's registry, once.

That is uPlot. Without it the page has simpler plots and tables. Nothing is loaded from elsewhere at
run time. The tarball's hash is npm's, the files' are those that were looked at.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import tarfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import structlog

from desk.web.assets import default_folder, is_there
from desk.web.packages import PACKAGES, Package
from maskgate.protocol.errors import MaskgateError
from maskgate.runtime.command_line import HelpFormatter
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.whole_file import write_whole

REGISTRY = "https://registry.npmjs.org"
#: npm's own variable.
_VARIABLE = "npm_config_registry"
_TIMEOUT_S = 60.0
_MAX_BYTES = 16 << 20
_LOGIN = re.compile(r"://[^/\s]*@")

log = structlog.get_logger()


class AssetError(MaskgateError):
    """A library could not be fetched; the message says why."""


def main(argv: Sequence[str]) -> int:
    """The command line after ``python -m desk assets``; returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m desk assets",
        description="Fetch uPlot from npm's registry, or from npm_config_registry.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    out = default_folder()
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help=f"default: {out}")
    try:
        print(fetch(parser.parse_args(argv).out))
    except AssetError as error:
        log.error("desk.no_assets", error=str(error))
        return ExitCode.UNAVAILABLE
    return ExitCode.OK


def fetch(folder: Path) -> Path:
    """Write what is missing to ``folder``, and return that.

    Raises:
        AssetError: the registry does not answer, a hash differs, or a file can't be written.
    """
    for package in PACKAGES:
        wanted = {
            folder / package.file_name(key): member for key, member in package.members.items()
        }
        if all(is_there(path, sha256) for path, (_, sha256) in wanted.items()):
            continue
        members = _members(package, _download(package))
        for path, (member, _) in wanted.items():
            _write(path, members[member])
    return folder


def _download(package: Package) -> bytes:
    """The tarball, whose hash is the expected one."""
    registry = (os.environ.get(_VARIABLE) or REGISTRY).rstrip("/")
    url = f"{registry}/{package.path}"
    shown = _LOGIN.sub("://***@", url)
    if not url.startswith("https://"):
        msg = f"{shown}: wanted a registry with https://"
        raise AssetError(msg)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  (https)
            content: bytes = answer.read(_MAX_BYTES)
    except (OSError, ValueError) as error:
        msg = f"{shown}: {getattr(error, 'reason', None) or error}"
        raise AssetError(msg) from None
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != package.integrity:
        msg = f"{shown}: SHA-512 is {found}, expected is {package.integrity}"
        raise AssetError(msg)
    return content


def _members(package: Package, tarball: bytes) -> dict[str, bytes]:
    """The wanted members by name, whose hashes are checked too."""
    wanted = dict(package.members.values())
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
            for name in wanted:
                file = archive.extractfile(name)
                found[name] = file.read(_MAX_BYTES) if file else b""
    except (KeyError, tarfile.TarError, EOFError, OSError) as error:
        msg = f"{package.path}: {error}"
        raise AssetError(msg) from None
    for name, content in found.items():
        if (sha256 := hashlib.sha256(content).hexdigest()) != wanted[name]:
            msg = f"{package.path}: SHA-256 of {name} is {sha256}, expected is {wanted[name]}"
            raise AssetError(msg)
    return found


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An image is built as root and runs as another user.
        write_whole(path, content, 0o644)
    except OSError as error:
        msg = f"can't write {path}: {error}"
        raise AssetError(msg) from None
