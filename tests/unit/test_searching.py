"""Known faces are followed with less work, and nobody new is overlooked."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.image import Pixels
from producer.drawing import draw_face
from producer.video.detection.blazeface import BlazeFace
from producer.video.frame import Face
from producer.video.searching import SEARCH_MS, Search

_PIXELS = np.zeros((48, 64, 3), np.uint8)
_FACE = Face(10, 10, 20, 20, 0.9)


class _Following:
    """Records what it is asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.found: list[Face] = [_FACE]
        self.followed: list[Face] | None = [_FACE]

    def detect(self, pixels: Pixels) -> list[Face]:
        self.asked.append("detect")
        return self.found

    def follow(self, pixels: Pixels, known: Sequence[Face]) -> list[Face] | None:
        self.asked.append("follow")
        return self.followed


class _Plain:
    def detect(self, pixels: Pixels) -> list[Face]:
        return [_FACE]


def _asked(detector: _Following, *times_ms: int) -> list[str]:
    search = Search(detector)
    for at_ms in times_ms:
        search.faces(_PIXELS, at_ms)
    return detector.asked


def test_the_whole_picture_is_searched_again_after_a_time() -> None:
    times_ms = (1_000, 1_000 + SEARCH_MS - 1, 1_000 + SEARCH_MS, 1_001 + SEARCH_MS)
    assert _asked(_Following(), *times_ms) == ["detect", "follow", "detect", "follow"]


def test_where_nobody_is_known_the_whole_picture_is_searched() -> None:
    detector = _Following()
    detector.found = []
    assert _asked(detector, 1_000, 1_100, 1_200) == ["detect"] * 3


def test_a_face_that_can_not_be_followed_is_searched_on_the_same_picture() -> None:
    detector = _Following()
    detector.followed = None
    search = Search(detector)
    search.faces(_PIXELS, 1_000)
    assert search.faces(_PIXELS, 1_100) == [_FACE]
    assert detector.asked == ["detect", "follow", "detect"]


def test_nothing_is_followed_over_a_cut() -> None:
    detector = _Following()
    search = Search(detector)
    search.faces(_PIXELS, 1_000)
    search.begin_anew()
    search.faces(_PIXELS, 1_100)
    assert detector.asked == ["detect", "detect"]


def test_a_detector_that_can_not_follow_searches_always() -> None:
    search = Search(_Plain())
    assert [search.faces(_PIXELS, at_ms) for at_ms in (1_000, 1_100)] == [[_FACE], [_FACE]]


def _scene(*faces: tuple[int, int, int]) -> Pixels:
    """Drawn faces, each with its x, y and size, in front of a grey wall."""
    rng = np.random.default_rng(4)
    scene = np.asarray(110 + rng.integers(0, 20, (480, 640, 3)), np.uint8)
    for x, y, side in faces:
        drawing = draw_face(rng, masked=False).pixels
        scene[y : y + side, x : x + side] = cv2.resize(drawing, (side, side))
    return scene


@pytest.fixture(scope="module")
def blazeface(blazeface_file: Path) -> BlazeFace:
    return BlazeFace(blazeface_file)


def test_a_followed_face_has_the_box_that_a_search_finds(blazeface: BlazeFace) -> None:
    known = blazeface.detect(_scene((200, 100, 200)))
    moved = _scene((230, 110, 200))
    followed, (searched,) = blazeface.follow(moved, known), blazeface.detect(moved)
    assert followed is not None
    (face,) = followed
    assert np.abs(np.subtract(face.centre, searched.centre)).max() < 0.1 * searched.width
    assert 0.85 < face.width / searched.width < 1.15


def test_a_near_face_that_is_new_is_found_while_another_is_followed(blazeface: BlazeFace) -> None:
    known = blazeface.detect(_scene((60, 100, 200)))
    both = blazeface.follow(_scene((60, 100, 200), (360, 120, 200)), known)
    assert len(known) == 1
    assert both is not None
    assert len(both) == 2


def test_a_small_face_and_one_that_has_gone_are_not_followed(blazeface: BlazeFace) -> None:
    small, large = _scene((200, 100, 80)), _scene((200, 100, 200))
    assert len(blazeface.detect(small)) == len(blazeface.detect(large)) == 1
    assert blazeface.follow(small, blazeface.detect(small)) is None
    assert blazeface.follow(_scene(), blazeface.detect(large)) is None
