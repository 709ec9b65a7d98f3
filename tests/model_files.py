"""Model files for tests, made from the small reference model by changing its card.

A replacement has the length of the original, so that the ONNX file around the card stays valid.
"""

import hashlib
from pathlib import Path

from worker.settings import SHIPPED_MODEL

REFERENCE_MODEL = SHIPPED_MODEL.with_name("reference.onnx")
_NAME = b"deep28-04ccc03e"
_SHIPPED_NAME = b"lite064-945210f0"
_SHIPPED_BAND = b'"uncertain_from":0.057,"uncertain_to":0.875'
_UNCERTAIN = b'"uncertain_from":0.155,"uncertain_to":0.891'
_GOLDEN = b'"p_mask":[0.990553'


def twin(folder: Path, *, sure: bool = False) -> Path:
    """The reference model under another name; ``sure``: it is uncertain about nothing."""
    changed = _replaced(REFERENCE_MODEL.read_bytes(), _NAME, b"twin28-04ccc03e")
    if sure:
        changed = _replaced(changed, _UNCERTAIN, b'"uncertain_from":0.550,"uncertain_to":0.550')
    return _written(folder / f"twin{'-sure' if sure else ''}.onnx", changed)


def twin_of_shipped(folder: Path) -> Path:
    """The shipped model under another name: it says the same."""
    changed = _replaced(SHIPPED_MODEL.read_bytes(), _SHIPPED_NAME, b"twin064-945210f0")
    return _written(folder / "twin-of-shipped.onnx", changed)


def bad(folder: Path) -> Path:
    """The shipped network with a band that lets it call almost every face masked."""
    changed = _replaced(SHIPPED_MODEL.read_bytes(), _SHIPPED_NAME, b"poor064-945210f0")
    changed = _replaced(changed, _SHIPPED_BAND, b'"uncertain_from":0.001,"uncertain_to":0.002')
    return _written(folder / "bad.onnx", changed)


def with_wrong_golden_vector(folder: Path) -> Path:
    """A twin whose card says something else than the network."""
    changed = _replaced(twin(folder).read_bytes(), _GOLDEN, b'"p_mask":[0.190553')
    return _written(folder / "wrong.onnx", changed)


def sha256(path: Path) -> str:
    """As a worker pins it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    assert len(old) == len(new)
    return content.replace(old, new)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
