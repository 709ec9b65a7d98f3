"""Drawn faces as labelled images, and a recipe that trains on them in a second."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.preprocess import reduce
from producer.drawing import draw_face

pytest.importorskip("torch", reason="the trainer extra is not installed")


from trainer.data.groups import fingerprint
from trainer.data.labelled_images import LabelledImages
from trainer.training.recipe import Recipe

RECIPE = Recipe(samples=512, batch=32, threads=1, width=0.25, ema_decay=0.5)


def faces(count: int, seed: int = 0) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    return [draw_face(rng, masked=bool(i % 2)).pixels for i in range(count)]


def labelled(
    pictures: list[Pixels], labels: list[int] | None = None, side: int = 40, source: str = "drawn"
) -> LabelledImages:
    names = [f"{i}.png" for i in range(len(pictures))]
    return LabelledImages(
        np.stack([reduce(picture, InputShape(side, side, 3)) for picture in pictures]),
        np.asarray(
            labels if labels is not None else [i % 2 for i in range(len(pictures))], np.int64
        ),
        [source] * len(pictures),
        [Path(name) for name in names],
        [fingerprint(picture) for picture in pictures],
        0,
        "0" * 64,
    )


def with_a_mask(picture: Pixels) -> Pixels:
    """The same photograph with a pasted mask, as in the reference set."""
    worn = picture.copy()
    height, width = worn.shape[:2]
    cv2.ellipse(
        worn,
        (width // 2, height * 2 // 3),
        (width // 5, height // 7),
        0,
        0,
        360,
        (200, 225, 240),
        -1,
    )
    return worn
