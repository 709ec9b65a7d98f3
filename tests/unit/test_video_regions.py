"""Region of interest and privacy masks: nothing behind them reaches anybody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ConfigurationError
from producer.video.conditions import CameraCondition
from producer.video.picture_health import PictureHealth
from producer.video.regions import Polygon, Regions
from tests.unit.drawn_rooms import person_walks

LEFT_HALF: Polygon = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
TOP_HALF: Polygon = [(0, 0), (1, 0), (1, 0.5), (0, 0.5)]


def white(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 255, np.uint8)


def test_outside_the_region_and_inside_a_mask_all_is_black() -> None:
    seen = Regions(LEFT_HALF, [TOP_HALF]).apply(white(100, 200))
    assert np.all(seen[52:, :98] == 255)
    assert not seen[:50].any()
    assert not seen[:, 101:].any()


def test_a_privacy_mask_covers_at_least_all_pixels_that_it_touches_inside() -> None:
    mask: Polygon = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    seen = Regions(None, [mask]).apply(white(100, 100))
    assert not seen[25:75, 25:75].any()
    assert np.all(seen[:24] == 255)
    assert np.all(seen[77:] == 255)


def test_a_mask_over_the_whole_picture_leaves_no_pixel_at_any_size() -> None:
    whole: Polygon = [(0, 0), (1, 0), (1, 1), (0, 1)]
    for height, width in ((1, 1), (3, 7), (480, 640), (506, 960)):
        assert not Regions(None, [whole]).apply(white(height, width)).any()
        assert Regions(whole).apply(white(height, width)).all()


def test_the_frame_of_the_source_is_not_changed_and_costs_no_copy_without_regions() -> None:
    frame = white(10, 10)
    Regions(LEFT_HALF).apply(frame)
    assert frame.all()
    assert Regions().apply(frame) is frame
    assert Regions().visible(10, 10) is None


def test_another_resolution_gets_its_own_mask_and_the_same_one_keeps_it() -> None:
    regions = Regions(LEFT_HALF)
    for height, width in ((480, 640), (1080, 1920), (480, 640)):
        seen = regions.apply(white(height, width))
        assert abs(np.count_nonzero(seen[0, :, 0]) - width / 2) <= 1
        assert regions.visible(height, width) is regions.visible(height, width)


@pytest.mark.parametrize(
    ("region", "privacy", "error"),
    [
        ([(0, 0), (1, 0)], [], "region: 2 points, expected at least 3"),
        ([(0, 0), (1, 0), (0, 0)], [], "region: 3 points, expected at least 3 different"),
        ([(0, 0), (0.5, 0.5), (1, 1)], [], "region: its points are on one line"),
        (
            [(0, 0), (1, 1), (1, 0), (0, 1)],
            [],
            "region: the sides from point 1 and from point 3 cross",
        ),
        ([(0, 0), (1, 0), (1.2, 1)], [], "region, point 3: (1.2, 1) is outside the picture"),
        ([(0, 0), (1, 0), (1,)], [], "region, point 3: 1 numbers, expected x and y"),
        (
            None,
            [LEFT_HALF, [(0, 0), (float("nan"), 0), (1, 1)]],
            "privacy mask 2, point 2: (nan, 0) is outside the picture",
        ),
        (None, [[(0, 0), (0, -1), (1, 1)]], "privacy mask 1, point 2: (0, -1)"),
        (None, [[]], "privacy mask 1: 0 points"),
    ],
)
def test_a_wrong_polygon_is_named_with_its_point(
    region: Polygon | None, privacy: list[Polygon], error: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Regions(region, privacy)
    assert error in str(refused.value)


coordinates = st.floats(0, 1)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8), st.integers(0, 64))
def test_every_polygon_is_drawn_or_refused(polygon: Polygon, side: int) -> None:
    try:
        regions = Regions(polygon, [polygon])
    except ConfigurationError:
        return
    # Privacy wins: nothing is left of a region that is masked as well.
    assert not regions.apply(white(side, side + 1)).any()


def test_the_health_check_judges_only_what_is_left() -> None:
    regions = Regions([(0.3, 0.2), (0.7, 0.2), (0.7, 0.9), (0.3, 0.9)])
    health = PictureHealth()
    told = {
        health.frame(regions.apply(frame), n / 5, regions.visible(*frame.shape[:2])).condition
        for n, frame in enumerate(person_walks(10))
    }
    assert told == {CameraCondition.UP}
