"""Corruptions of an image by a door's camera, in five severities; 3 is moderate.

They are for measuring only: shapes, sizes and code differ from the training augmentation. Names
and levels follow Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions", 2019. Each takes RGB uint8 (SIDE_PX, SIDE_PX, 3), a severity from 1 to 5 and
a random generator.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels

#: Images are brought to this size first, so that a severity means the same for all of them.
SIDE_PX = 112
SEVERITIES = (1, 2, 3, 4, 5)
Corruption = Callable[[Pixels, int, np.random.Generator], Pixels]


def _at(severity: int, *levels: float) -> float:
    return levels[severity - 1]


def _clipped(values: npt.NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def dark(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Less light: a factor, and the gamma with which a camera reacts."""
    return _clipped((image / 255) ** 1.2 * 255 * _at(severity, 0.8, 0.6, 0.45, 0.3, 0.2))


def bright(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Overexposed: highlights are lost."""
    return _clipped(image.astype(np.float32) * _at(severity, 1.2, 1.4, 1.6, 2.0, 2.5))


def low_contrast(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Haze or a dirty lens."""
    factor = _at(severity, 0.75, 0.6, 0.45, 0.3, 0.2)
    return _clipped(image * factor + image.mean() * (1 - factor))


def side_light(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """One half of the face in the dark."""
    ramp = np.linspace(-1, 1, image.shape[1]) * _sign(rng)
    shade = 1 - _at(severity, 0.25, 0.4, 0.55, 0.7, 0.85) / (1 + np.exp(-6 * ramp))
    return _clipped(image * shade[None, :, None])


def yellow_light(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Sodium lamps: blue is weakened most."""
    amount = _at(severity, 0.15, 0.3, 0.45, 0.6, 0.75)
    return _clipped(image * np.asarray([1.0, 1 - amount / 3, 1 - amount]))


def rotated(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """The head is tilted to one side."""
    matrix = cv2.getRotationMatrix2D(
        (SIDE_PX / 2, SIDE_PX / 2), _sign(rng) * _at(severity, 5, 10, 15, 22, 30), 1
    )
    return np.asarray(
        cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def turned(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """The head turns: one side narrower and shorter than the other."""
    depth = SIDE_PX * _at(severity, 0.05, 0.1, 0.15, 0.22, 0.3)
    corners = np.asarray([[0, 0], [SIDE_PX, 0], [SIDE_PX, SIDE_PX], [0, SIDE_PX]], np.float32)
    moved = corners.copy()
    if _sign(rng) > 0:
        moved[1], moved[2] = (SIDE_PX - depth, depth / 2), (SIDE_PX - depth, SIDE_PX - depth / 2)
    else:
        moved[0], moved[3] = (depth, depth / 2), (depth, SIDE_PX - depth / 2)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return np.asarray(
        cv2.warpPerspective(image, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def tight(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """The detector's box is too small: a share of each side is cut off."""
    margin = round(SIDE_PX * _at(severity, 0.03, 0.06, 0.09, 0.13, 0.18))
    return image[margin : SIDE_PX - margin, margin : SIDE_PX - margin]


def loose(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """The detector's box is too large: the face is smaller in it."""
    margin = round(SIDE_PX * _at(severity, 0.05, 0.1, 0.15, 0.22, 0.3))
    return np.asarray(
        cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REFLECT_101), np.uint8
    )


def shifted(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """The detector's box is shifted by a share of its side."""
    by = round(SIDE_PX * _at(severity, 0.03, 0.06, 0.09, 0.13, 0.18))
    matrix = np.asarray([[1, 0, by * _sign(rng)], [0, 1, by * _sign(rng)]], np.float32)
    return np.asarray(
        cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def patch(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A square of one colour at a random place: another head, a bag, a pillar."""
    side = round(SIDE_PX * _at(severity, 0.12, 0.18, 0.24, 0.32, 0.4))
    x, y = rng.integers(0, SIDE_PX - side, 2)
    covered = image.copy()
    covered[y : y + side, x : x + side] = rng.integers(0, 256, 3)
    return covered


def hand(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Fingers on a cheek, from the side."""
    covered, side = image.copy(), _sign(rng)
    skin = tuple(
        int(v)
        for v in np.median(
            image[SIDE_PX // 5 : SIDE_PX // 2, SIDE_PX // 3 : -SIDE_PX // 3], axis=(0, 1)
        )
    )
    reach = SIDE_PX * _at(severity, 0.1, 0.16, 0.22, 0.3, 0.4)
    for finger in range(4):
        y = round(SIDE_PX * (0.5 + 0.09 * finger))
        edge = -1 if side > 0 else SIDE_PX
        cv2.line(
            covered,
            (edge, y),
            (round(edge + side * reach * rng.uniform(0.8, 1.1)), y - 4),
            skin,
            round(SIDE_PX * 0.075),
        )
    return covered


def sunglasses(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Dark lenses of growing size."""
    covered = image.copy()
    size = SIDE_PX * _at(severity, 0.08, 0.11, 0.14, 0.18, 0.22)
    y = round(SIDE_PX * rng.uniform(0.33, 0.42))
    for x in (0.32, 0.68):
        cv2.ellipse(
            covered,
            (round(SIDE_PX * x), y),
            (round(size * 1.2), round(size * 0.8)),
            0,
            0,
            360,
            (15, 15, 18),
            -1,
        )
    return covered


def cap(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A cap or helmet that covers more and more of the forehead."""
    covered = image.copy()
    colour = tuple(int(v) for v in rng.integers(0, 200, 3))
    height = SIDE_PX * _at(severity, 0.1, 0.16, 0.22, 0.28, 0.34)
    cv2.ellipse(
        covered, (SIDE_PX // 2, 0), (round(SIDE_PX * 0.75), round(height)), 0, 0, 360, colour, -1
    )
    return covered


def scarf(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A scarf up to the chin: the lowest part is covered."""
    covered = image.copy()
    height = round(SIDE_PX * _at(severity, 0.05, 0.08, 0.11, 0.15, 0.2))
    covered[SIDE_PX - height :] = rng.integers(0, 256, 3)
    return covered


def few_pixels(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A face far away: reduced to a few pixels and enlarged again."""
    side = int(_at(severity, 28, 24, 20, 16, 12))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(small, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR), np.uint8
    )


def out_of_focus(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A round blur."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _at(severity, 1.5, 2.5, 3.5, 5, 7)), np.uint8)


def motion(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """A blur along a line."""
    length = int(_at(severity, 5, 9, 13, 19, 27))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    matrix = cv2.getRotationMatrix2D(
        (length / 2 - 0.5, length / 2 - 0.5), float(rng.uniform(0, 180)), 1
    )
    kernel = np.asarray(cv2.warpAffine(kernel, matrix, (length, length)), np.float32)
    return np.asarray(
        cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8
    )


def noise(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Sensor noise with grains of 2 × 2 px."""
    grains = rng.normal(0, _at(severity, 8, 14, 20, 30, 42), (SIDE_PX // 2, SIDE_PX // 2, 3))
    return _clipped(image + cv2.resize(grains, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST))


def jpeg(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    """Strong JPEG compression of a face of 56 px."""
    small = np.asarray(cv2.resize(image, (56, 56), interpolation=cv2.INTER_AREA))
    quality = int(_at(severity, 50, 30, 20, 12, 6))
    _, body = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(body, cv2.IMREAD_COLOR), np.uint8)


#: In families, as the bank asked about them.
CORRUPTIONS: dict[str, tuple[Corruption, ...]] = {
    "light": (dark, bright, low_contrast, side_light, yellow_light),
    "pose and framing": (rotated, turned, tight, loose, shifted),
    "occlusion": (patch, hand, sunglasses, cap, scarf),
    "resolution and blur": (few_pixels, out_of_focus, motion),
    "sensor and codec": (noise, jpeg),
}
