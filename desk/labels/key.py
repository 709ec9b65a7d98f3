"""The key that encrypts stored pictures: 32 bytes in a file, as base64."""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from maskgate.protocol.errors import ConfigurationError

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """An AES-256 key. ``identity`` names it without telling it: the beginning of a digest."""

    secret: bytes = field(repr=False)

    @property
    def identity(self) -> bytes:
        """8 bytes that tell one key from another."""
        return hashlib.sha256(b"maskgate labels key\0" + self.secret).digest()[:8]


def make(path: Path) -> None:
    """Write a new key, readable by its owner alone. A key that is there is never replaced.

    Raises:
        ConfigurationError: the file is there, or can't be written.
    """
    text = base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    except FileExistsError:
        msg = f"{path}: is there already; without the old key no stored picture can be read"
        raise ConfigurationError(msg) from None
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}"
        raise ConfigurationError(msg) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def load(path: Path) -> Key:
    """Read a key.

    A file that others than its owner may read must be read-only for everybody, as the files of
    ``maskgate secrets`` are: only the container of their folder mounts them.

    Raises:
        ConfigurationError: names the file, and its mode or what is wrong with its content.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes()
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
        raise ConfigurationError(msg) from None
    if mode & 0o022 or (mode & 0o004 and mode & 0o200):
        msg = f"{path}: mode {mode:04o} is too open for a key; run: chmod 400 {path}"
        raise ConfigurationError(msg)
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != _BYTES:
        msg = f"{path}: not a key: wanted base64 of {_BYTES} bytes, as 'python -m desk key' writes"
        raise ConfigurationError(msg)
    return Key(secret)
