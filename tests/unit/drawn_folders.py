"""Folders of drawn faces for the trainer's commands, and options for short trainings."""

from pathlib import Path

import cv2
import numpy as np

from producer.drawing import draw_face

SMALL = [
    "--samples",
    "8192",
    "--batch",
    "64",
    "--ema-decay",
    "0.9",
    "--threads",
    "1",
    "--width",
    "0.5",
]
TINY = ["--samples", "128", "--batch", "32", "--threads", "1", "--width", "0.25"]


def draw_folder(
    folder: Path,
    count: int,
    spelling: tuple[str, str] = ("without_mask", "With Mask"),
    seed: int = 3,
) -> Path:
    rng = np.random.default_rng(seed)
    for i in range(count):
        home = folder / spelling[i % 2]
        home.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(home / f"{i}.png"), draw_face(rng, masked=bool(i % 2)).pixels[:, :, ::-1])
    return folder
