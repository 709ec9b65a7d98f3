"""Which folders say what their images show; producer and trainer read them by the same rule."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.image_folders import label_of_folder
from maskgate.protocol.crop import Label
from producer.images import audit_files


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("WithMask", Label.MASK),
        ("with_mask", Label.MASK),
        ("with-mask", Label.MASK),
        ("Masked", Label.MASK),
        ("WithoutMask", Label.NO_MASK),
        ("without mask", Label.NO_MASK),
        ("no_mask", Label.NO_MASK),
        ("unmasked", Label.NO_MASK),
        ("MaskWornIncorrectly", None),
        ("Train", None),
        ("", None),
    ],
)
def test_a_class_folder_is_known_in_any_spelling(folder: str, label: Label | None) -> None:
    assert label_of_folder(folder) is label


@pytest.mark.parametrize("folder", ["with_mask", "without-mask", "No Mask", "unmasked"])
def test_producer_and_trainer_find_the_same_images(folder: str, tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="the trainer extra is not installed")
    from trainer.data import labelled_images

    (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / folder / "1.png"), np.zeros((9, 9, 3), np.uint8))
    (found,) = labelled_images.find([tmp_path])
    assert [found.path] == audit_files(tmp_path)
    assert found.label == (label_of_folder(folder) is Label.MASK)
