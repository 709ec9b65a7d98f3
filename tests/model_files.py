"""Model files for tests, made from the small reference model by changing its card.

A replacement has the length of the original, so that the ONNX file around the card stays valid.
"""

import hashlib
import json
import re
from pathlib import Path

from worker.settings import SHIPPED_MODEL

REFERENCE_MODEL = SHIPPED_MODEL.with_name("reference.onnx")
_CARD = json.loads(REFERENCE_MODEL.with_suffix(".json").read_text())
REFERENCE_NAME: str = _CARD["name"]
#: Of the same length.
TWIN_NAME = "twin" + REFERENCE_NAME[4:]
_SHIPPED_BAND = b'"threshold":0.5,"uncertain_from":0.057,"uncertain_to":0.875'
#: Its probabilities are .001 at the least, so that it calls no face bare.
_BAD_BAND = b'"threshold":0.002,"uncertain_from":0.001,"uncertain_to":0.1'


def twin(folder: Path, *, sure: bool = False) -> Path:
    """The reference model under another name; ``sure``: it is uncertain about nothing."""
    content = REFERENCE_MODEL.read_bytes()
    changed = _replaced(content, REFERENCE_NAME.encode(), TWIN_NAME.encode())
    if sure:
        for name in ("uncertain_from", "uncertain_to"):
            changed = _with_number(changed, f'"{name}":', _CARD[name], _CARD["threshold"])
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
    right = _CARD["golden"]["p_mask"][0]
    changed = _with_number(twin(folder).read_bytes(), '"p_mask":[', right, round(1 - right, 6))
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


def _with_number(content: bytes, place: str, old: float, new: float) -> bytes:
    """The content with another number, which may not have more digits."""
    digits = str(new).ljust(len(str(old)), "0")
    return _replaced(content, f"{place}{old}".encode(), f"{place}{digits}".encode())


def _replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    assert len(old) == len(new)
    return content.replace(old, new)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
