"""Which pictures show the same photograph: those may never stand on both sides of a split.

Near-duplicates by two perceptual hashes, confirmed at 16 × 16 px; and twins, the same photograph with and without a pasted mask, by their
upper part. Both rules are those that found the leaks of the reference data set.
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

#: Of 64 bits, those that may differ between two hashes of one photograph.
_HASH_DISTANCE = 6
#: Root mean square between standardised pictures: of 16 × 16 px, and of the upper 12 of 28 rows.
_SAME_RMS, _TWIN_RMS = 0.45, 0.3
_CHUNK = 1024

Fingerprint = tuple[int, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]


def fingerprint(image: Pixels) -> Fingerprint:
    """What is compared of an image: dHash, pHash, its standardised 16 × 16 px and the upper 12 rows of its 28 × 28 px."""
    small = reduce(image, InputShape(16, 16, 1))[:, :, 0]
    upper = reduce(image, InputShape(28, 28, 1))[:12, :, 0]
    return difference_hash(image), frequency_hash(image), _standardised(small), _standardised(upper)


def difference_hash(image: Pixels) -> int:
    """64 bits: whether brightness rises from each cell to the next on an 8 × 9 grid (N. Krawetz, "Kind of Like That", 2013: dHash)."""
    cells = reduce(image, InputShape(8, 9, 1))[:, :, 0]
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def frequency_hash(image: Pixels) -> int:
    """64 bits: which of the lowest 8 × 8 frequencies lie above their median (N. Krawetz, "Looks Like It", 2011: pHash)."""
    low = cv2.dct(reduce(image, InputShape(32, 32, 1))[:, :, 0].astype(np.float32))[:8, :8]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def group(fingerprints: list[Fingerprint], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A group number for each image; pictures of one photograph, found directly or through others, share theirs."""
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
        alike = np.zeros((len(labels[rows]), len(labels)), bool)
        for bits in hashes:
            alike |= np.bitwise_count(bits[rows, None] ^ bits[None]) <= _HASH_DISTANCE
        for one, other in np.argwhere(alike):
            if start + one < other and _rms(small[start + one] @ small[other]) < _SAME_RMS:
                yield int(start + one), int(other)
        twins = (upper[rows] @ upper.T > 1 - _TWIN_RMS**2 / 2) & (
            labels[rows, None] != labels[None]
        )
        for one, other in np.argwhere(twins):
            yield int(start + one), int(other)


def _standardised(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Mean 0 and length 1: the product of two is their correlation. A picture of one colour is like no other."""
    centred = pixels.astype(np.float32).ravel() - np.float32(pixels.mean())
    length = float(np.linalg.norm(centred))
    return centred / np.float32(length) if length > len(centred) ** 0.5 else np.zeros_like(centred)


def _rms(correlation: float) -> float:
    """Between two standardised pictures (of variance 1)."""
    return float(max(0.0, 2 - 2 * correlation) ** 0.5)
