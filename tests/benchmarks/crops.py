"""The crops that all subjects classify. Imports no test server: peers have no pytest."""

import itertools
from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np

from maskgate.inference.image import PPM, encode_pnm
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Crop, new_crop_id
from maskgate.runtime.clock import now_ms
from producer.drawing import draw_face
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL

SIDE_PX = 112
_FACES = 64
TRACK_LENGTH = 20


@cache
def bodies(content_type: str) -> list[bytes]:
    """Drawn faces: 112 × 112 colour JPEG, as many cameras send, or PPM thumbnails of a producer."""
    rng, shape = np.random.default_rng(1), Model.load(THUMBNAIL_MODEL).card.input
    faces = [draw_face(rng, masked=bool(i % 2)).pixels for i in range(_FACES)]
    faces = [
        np.asarray(cv2.resize(face, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
        for face in faces
    ]
    if content_type == PPM:
        return [encode_pnm(reduce(face, shape))[0] for face in faces]
    return [cv2.imencode(".jpg", face[:, :, ::-1])[1].tobytes() for face in faces]


def crops(
    content_type: str, *, cameras: int = 4, track_length: int = TRACK_LENGTH
) -> Iterator[Crop]:
    """Endless crops from ``cameras`` in turn; each is stamped with the time when it is taken."""
    tracks = [""] * cameras
    for i, body in enumerate(itertools.cycle(bodies(content_type))):
        camera, crop_id = i % cameras, new_crop_id()
        if i // cameras % track_length == 0:
            tracks[camera] = crop_id
        yield Crop(crop_id, f"door-{camera}", tracks[camera], now_ms(), content_type, body)
