"""Contact sheets: images side by side for a person to look at. Never commit one: it shows faces."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels, decode, sniff
from maskgate.inference.limits import FILE_LIMITS
from maskgate.inference.preprocess import reduce
from maskgate.protocol.errors import UnreadableCropError

_TILE_PX = 96
_GREY = 40


def tile(path: Path) -> Pixels:
    """An image at the size of a tile, RGB; a grey tile if the file can't be read."""
    try:
        body = path.read_bytes()
        return reduce(
            decode(body, sniff(body) or "", FILE_LIMITS), InputShape(_TILE_PX, _TILE_PX, 3)
        )
    except (OSError, UnreadableCropError):
        return np.full((_TILE_PX, _TILE_PX, 3), _GREY, np.uint8)


def png(pixels: Pixels) -> bytes:
    """RGB as a PNG file."""
    _, body = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return bytes(body)


def contact_sheet(paths: Sequence[Path], captions: Sequence[str], columns: int = 12) -> Pixels:
    """Tiles in rows of ``columns``, each with its caption below it."""
    strip, cells = 16, []
    for path, caption in zip(paths, captions, strict=True):
        below = np.full((strip, _TILE_PX, 3), _GREY, np.uint8)
        cv2.putText(
            below, caption, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA
        )
        cells.append(np.vstack((tile(path), below)))
    while not cells or len(cells) % columns:
        cells.append(np.full((_TILE_PX + strip, _TILE_PX, 3), _GREY, np.uint8))
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
