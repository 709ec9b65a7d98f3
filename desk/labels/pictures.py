"""The stored pictures: one encrypted file for each crop.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for each file. The crop id is associated
data: a file that is renamed to another crop's can't be read.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from desk.labels.key import Key
from maskgate.protocol.crop import is_crop_id
from maskgate.protocol.errors import MaskgateError
from maskgate.runtime.whole_file import write_whole

_MAGIC = b"MGP1"
_IDENTITY_BYTES = 8
_NONCE_BYTES = 12
_SUFFIX = ".sealed"


class PictureError(MaskgateError):
    """A stored picture can't be read: another key, or a damaged file; the message says which."""


class Pictures:
    """Encrypted files below a folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, key: Key) -> None:
        self._folder = folder
        self._identity = key.identity
        self._cipher = AESGCM(key.secret)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, crop_id: str, body: bytes) -> None:
        """Encrypt and store a crop's picture; another one of the same crop is replaced.

        Raises:
            OSError: the file can't be written.
        """
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + self._identity + nonce
        sealed = header + self._cipher.encrypt(nonce, body, _bound(crop_id))
        path = self._path(crop_id)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        write_whole(path, sealed)

    def read(self, crop_id: str) -> bytes:
        """Decrypt a crop's picture.

        Raises:
            PictureError: names the file; it is absent, damaged or encrypted with another key.
        """
        path = self._path(crop_id)
        try:
            sealed = path.read_bytes()
        except OSError as error:
            msg = f"{path}: can't be read: {error.strerror}"
            raise PictureError(msg) from None
        magic, rest = sealed[: len(_MAGIC)], sealed[len(_MAGIC) :]
        identity, rest = rest[:_IDENTITY_BYTES], rest[_IDENTITY_BYTES:]
        if magic == _MAGIC and identity != self._identity:
            msg = (
                f"{path}: encrypted with the key {identity.hex()}, "
                f"and the present key is {self._identity.hex()}"
            )
            raise PictureError(msg)
        try:
            nonce, text = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, text, _bound(crop_id))
        except (InvalidTag, ValueError):
            msg = f"{path}: damaged, or not the file of this crop"
            raise PictureError(msg) from None

    def delete(self, crop_ids: Iterable[str]) -> None:
        """Delete pictures; those that are absent are not missed."""
        for crop_id in crop_ids:
            self._path(crop_id).unlink(missing_ok=True)

    def ids(self) -> Iterator[str]:
        """The crop ids of all files."""
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            if is_crop_id(path.stem):
                yield path.stem

    def _path(self, crop_id: str) -> Path:
        if not is_crop_id(crop_id):  # it comes from requests, too
            msg = "not a crop id"
            raise PictureError(msg)
        # The end of the id is random; its beginning is a time.
        return self._folder / crop_id[-2:] / f"{crop_id}{_SUFFIX}"


def _bound(crop_id: str) -> bytes:
    return b"maskgate picture v1\0" + crop_id.encode()
