"""YuNet, from a file that the user names: ``cv2.FaceDetectorYN`` of OpenCV 5.

Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector. Machine Intelligence Research 20,
2023. Boxes reach from the forehead to the chin; the classifier was trained on such boxes plus 10 %.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ModelError
from producer.video.detection.files import read_checked
from producer.video.detection.reduce import reduce_to
from producer.video.frame import Face

#: ``face_detection_yunet_2026may.onnx`` of the OpenCV Zoo, MIT.
SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
MIN_SCORE = 0.6
SIDE_PX = 640
_NMS_IOU = 0.3


class YuNet:
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
            ModelError: the file can't be read, has another SHA-256, or is no YuNet.
        """
        self._side_px = side_px
        content = np.frombuffer(read_checked(path, sha256), np.uint8)
        try:
            self._network = cv2.FaceDetectorYN.create(
                "onnx", content, np.empty(0, np.uint8), (320, 320), min_score, _NMS_IOU
            )
            self.detect(np.zeros((32, 32, 3), np.uint8))
        except cv2.error as error:
            msg = f"detector {path}: OpenCV does not run it as YuNet: {str(error.err).strip()}"
            raise ModelError(msg) from None

    def detect(self, pixels: Pixels) -> list[Face]:
        """All faces on an RGB picture, uint8 (height, width, 3), at any size."""
        small, scale = reduce_to(pixels, self._side_px)
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        self._network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self._network.detect(bgr)
        return [] if rows is None else [_face(row, scale) for row in rows]


def _face(row: npt.NDArray[np.float32], scale: float) -> Face:
    """A row of ``FaceDetectorYN.detect``: box, five points, score, in pixels of the reduced one."""
    x, y, width, height = (row[:4] / scale).tolist()
    points = (row[4:10] / scale).reshape(3, 2).tolist()
    right_eye, left_eye, nose = ((x, y) for x, y in points)
    return Face(x, y, width, height, float(row[14]), right_eye, left_eye, nose)
