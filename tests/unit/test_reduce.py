"""Pictures are reduced for a detector without loss of what is small, at any size."""

import cv2
import numpy as np
import pytest

from producer.video.detection.reduce import reduce_to


@pytest.mark.parametrize(
    ("height", "width"), [(480, 640), (1080, 1920), (506, 960), (720, 1280), (2160, 3840)]
)
@pytest.mark.parametrize("side_px", [384, 192])
def test_a_reduced_picture_is_near_to_the_mean_of_its_areas(
    height: int, width: int, side_px: int
) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    pixels = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    noisy = np.clip(pixels + rng.normal(0, 20, pixels.shape), 0, 255).astype(np.uint8)
    small, scale = reduce_to(noisy, side_px)
    assert scale == side_px / width
    assert small.shape == (round(height * scale), side_px, 3)
    clean = cv2.resize(pixels, (side_px, small.shape[0]), interpolation=cv2.INTER_AREA)
    error = np.abs(small.astype(float) - clean.astype(float))
    # Noise of 20 levels is averaged, and nothing is shifted.
    assert error.mean() < 20 * np.sqrt(2 / np.pi)
    assert np.corrcoef(small.ravel(), clean.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2000)])
def test_an_extreme_picture_keeps_a_pixel_on_each_side(shape: tuple[int, int]) -> None:
    small, _ = reduce_to(np.full((*shape, 3), 7, np.uint8), 384)
    assert min(small.shape[:2]) >= 1
    assert max(small.shape[:2]) <= 384
    assert (small == 7).all()


def test_a_dot_of_two_pixels_is_never_skipped() -> None:
    for x in range(100, 140):
        pixels = np.zeros((480, 640, 3), np.uint8)
        pixels[200:202, x : x + 2] = 255
        assert reduce_to(pixels, 192)[0].max() > 5
