"""The producer sends a file as it is only if a worker takes it."""

from pathlib import Path

import pytest
from PIL import Image

from maskgate.inference.card import InputShape
from maskgate.inference.image import JPEG, PPM, check
from maskgate.inference.limits import crop_limits
from producer.images import FolderImages

SHAPE = InputShape(64, 64, 3)


@pytest.mark.parametrize(("size", "content_type"), [((300, 200), JPEG), ((900, 800), PPM)])
def test_a_file_that_a_worker_would_refuse_is_reduced_even_if_asked_for_as_it_is(
    tmp_path: Path, size: tuple[int, int], content_type: str
) -> None:
    path = tmp_path / "face.jpg"
    Image.new("RGB", size).save(path)
    (image,) = FolderImages([path], SHAPE, as_is=True)
    assert image.content_type == content_type
    check(image.body, image.content_type, crop_limits(SHAPE))
