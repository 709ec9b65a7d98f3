"""Find images of the same photograph: they must never be on both sides of a split.

Near-duplicates are found by two perceptual hashes and confirmed at 16 × 16 px. A pair of the same
photograph with and without a pasted mask is found by the upper part of the face. Both rules are
those that found the leaks of the reference data set.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.preprocess import reduce

#: How many of 64 bits may differ between two hashes of one photograph.
_HASH_DISTANCE = 6
#: Root mean square difference of standardised images: 16 × 16 px, and the upper 12 of 28 rows.
_SAME_RMS, _PAIR_RMS = 0.45, 0.3
_CHUNK = 1024

Fingerprint = tuple[int, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]


def fingerprint(image: Pixels) -> Fingerprint:
    """What :func:`group` compares of an image.

    dHash, pHash, the standardised 16 × 16 px and the standardised upper 12 rows of 28 × 28 px.
    """
    small = reduce(image, InputShape(16, 16, 1))[:, :, 0]
    upper = reduce(image, InputShape(28, 28, 1))[:12, :, 0]
    return difference_hash(image), frequency_hash(image), _standardised(small), _standardised(upper)


def difference_hash(image: Pixels) -> int:
    """64 bits: whether brightness rises from each cell to the next on an 8 × 9 grid.

    dHash (N. Krawetz, "Kind of Like That", 2013).
    """
    cells = reduce(image, InputShape(8, 9, 1))[:, :, 0]
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def frequency_hash(image: Pixels) -> int:
    """64 bits: which of the lowest 8 × 8 frequencies are above their median.

    pHash (N. Krawetz, "Looks Like It", 2011).
    """
    low = cv2.dct(reduce(image, InputShape(32, 32, 1))[:, :, 0].astype(np.float32))[:8, :8]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def group(fingerprints: list[Fingerprint], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A group number for each image, (n,).

    Images of one photograph share their number, also if they are linked only through others.
    """
    count = len(fingerprints)
    pairs = np.asarray(list(_same(fingerprints, labels)), np.int64).reshape(-1, 2)
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    groups: npt.NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return groups


def _same(
    fingerprints: list[Fingerprint], labels: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    hashes = [np.asarray([f[which] for f in fingerprints], np.uint64) for which in (0, 1)]
    small, upper = (np.stack([f[which] for f in fingerprints]) for which in (2, 3))
    for start in range(0, len(labels), _CHUNK):
        rows = slice(start, start + _CHUNK)
        similar = np.zeros((len(labels[rows]), len(labels)), bool)
        for bits in hashes:
            similar |= np.bitwise_count(bits[rows, None] ^ bits[None]) <= _HASH_DISTANCE
        for one, other in np.argwhere(similar):
            if start + one < other and _rms(small[start + one] @ small[other]) < _SAME_RMS:
                yield int(start + one), int(other)
        pairs = (upper[rows] @ upper.T > 1 - _PAIR_RMS**2 / 2) & (
            labels[rows, None] != labels[None]
        )
        for one, other in np.argwhere(pairs):
            yield int(start + one), int(other)


def _standardised(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Mean 0 and length 1: the product of two is their correlation.

    An image of one colour gives zeros, which correlate with nothing.
    """
    centred = pixels.astype(np.float32).ravel() - np.float32(pixels.mean())
    length = float(np.linalg.norm(centred))
    return centred / np.float32(length) if length > len(centred) ** 0.5 else np.zeros_like(centred)


def _rms(correlation: float) -> float:
    """The root mean square difference of two standardised images (variance 1)."""
    return float(max(0.0, 2 - 2 * correlation) ** 0.5)
