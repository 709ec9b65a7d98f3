import cv2
import numpy as np
import pytest

from desk.labels.png import to_png
from maskgate.inference.image import encode_pnm
from maskgate.protocol.errors import UnreadableCropError


@pytest.mark.parametrize("shape", [(28, 28, 3), (64, 48, 3), (1, 1, 3), (28, 20)])
def test_a_browser_gets_the_pixels_that_the_model_saw(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    png = to_png(encode_pnm(pixels)[0])
    found = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert (found == (pixels[:, :, ::-1] if pixels.ndim == 3 else pixels)).all()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"P6 2 2 255\n",
        b"P6 2 2 255\nABCDEFGHIJK",
        b"P6 2 2 255\nABCDEFGHIJKLM",
        b"P6 0 0 255\n",
        b"P6 99999 99999 255\n",
        b"P7 2 2 255\nABCDEFGHIJKL",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_picture_of_a_worker_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableCropError):
        to_png(body)
