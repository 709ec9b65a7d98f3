"""Model files for tests, made from the small reference model by changing its card.

A replacement has the length of the original, so that the ONNX file around the card stays valid.
"""

import hashlib
import re
from pathlib import Path

from worker.settings import SHIPPED_MODEL

REFERENCE_MODEL = SHIPPED_MODEL.with_name("reference.onnx")
_NAME = b"deep28-04ccc03e"
_SHIPPED_BAND = b'"threshold":0.5,"uncertain_from":0.057,"uncertain_to":0.875'
#: Its probabilities are .001 at the least, so that it calls no face bare.
_BAD_BAND = b'"threshold":0.002,"uncertain_from":0.001,"uncertain_to":0.1'
_UNCERTAIN = b'"uncertain_from":0.155,"uncertain_to":0.891'
_GOLDEN = b'"p_mask":[0.990553'


def twin(folder: Path, *, sure: bool = False) -> Path:
    """The reference model under another name; ``sure``: it is uncertain about nothing."""
    changed = _replaced(REFERENCE_MODEL.read_bytes(), _NAME, b"twin28-04ccc03e")
    if sure:
        changed = _replaced(changed, _UNCERTAIN, b'"uncertain_from":0.550,"uncertain_to":0.550')
    return _written(folder / f"twin{'-sure' if sure else ''}.onnx", changed)


def renamed(path: Path, folder: Path) -> Path:
    """A model under another name: it says the same."""
    content = path.read_bytes()
    found = re.search(rb'"name":"([^"]+)"', content)
    assert found is not None
    changed = _replaced(content, found[1], b"twin" + found[1][4:])
    return _written(folder / f"twin-{path.name}", changed)


def bad(folder: Path) -> Path:
    """A twin of the shipped model that is never sure of a bare face."""
    twin_file = renamed(SHIPPED_MODEL, folder)
    return _written(
        folder / "bad.onnx", _replaced(twin_file.read_bytes(), _SHIPPED_BAND, _BAD_BAND)
    )


def with_wrong_golden_vector(folder: Path) -> Path:
    """A twin whose card says something else than the network."""
    changed = _replaced(twin(folder).read_bytes(), _GOLDEN, b'"p_mask":[0.190553')
    return _written(folder / "wrong.onnx", changed)


def as_challenger(path: Path) -> dict[str, str]:
    """Settings of a worker that compares every crop with this model."""
    return {
        "MASKGATE_CHALLENGER_PATH": str(path),
        "MASKGATE_CHALLENGER_SHA256": sha256(path),
        "MASKGATE_CHALLENGER_SHARE": "1",
    }


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
