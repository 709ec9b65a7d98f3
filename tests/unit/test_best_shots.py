"""Which faces are sent, which are held back and why, and how they are cut out."""

from functools import lru_cache

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.drawing import draw_face
from producer.video.best_shots import BestShots, HeldBack, framed, turn
from producer.video.frame import Face
from producer.video.still_pictures import STILL_AFTER_MS, StillPictures
from producer.video.tracking import Track

_FACE = Face(200, 100, 80, 100, 0.9)


@lru_cache
def _frame(seed: int = 0, *, noise: float = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    pixels = np.full((480, 640, 3), 110, np.uint8)
    pixels[80:240, 160:320] = cv2.resize(draw_face(rng, masked=False).pixels, (160, 160))
    grain = np.random.default_rng(seed + 1).normal(0, noise, pixels.shape)
    return np.asarray(np.clip(pixels + grain, 0, 255), np.uint8)


def _track(face: Face = _FACE, at_ms: int = 0, name: str = "a") -> Track:
    return Track(name, face, 0, at_ms, confirmed=True)


def _shots(**options: float) -> BestShots:
    return BestShots(options.get("crops_per_s", 5), min_face_px=40)


def test_a_crop_is_the_box_and_a_tenth_on_each_side() -> None:
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[90:210, 192:288] = 255
    crop = framed(pixels, _FACE)
    assert crop is not None
    assert crop.shape == (120, 96, 3)
    assert crop.min() == 255


def test_a_crop_ends_at_the_edge_of_the_frame() -> None:
    crop = framed(_frame(), Face(-5, -5, 60, 80, 0.9))
    assert crop is not None
    assert crop.shape == (83, 61, 3)
    assert framed(_frame(), Face(700, 10, 60, 80, 0.9)) is None


def test_a_track_sends_so_many_crops_a_second() -> None:
    shots = _shots(crops_per_s=5)
    sent = [shots.choose(_frame(), _track(at_ms=i * 40)) is not None for i in range(100)]
    assert 19 <= sum(sent) <= 21
    assert sent[0]
    assert shots.held_back == {HeldBack.RATE: 100 - sum(sent)}


def test_frames_that_come_a_little_early_are_in_time() -> None:
    shots = _shots(crops_per_s=5)
    sent = [shots.choose(_frame(), _track(at_ms=i * 200 - i % 2 * 30)) for i in range(20)]
    assert all(crop is not None for crop in sent)


def test_each_track_has_a_rate_of_its_own() -> None:
    shots = _shots()
    assert shots.choose(_frame(), _track(name="a")) is not None
    assert shots.choose(_frame(), _track(name="b")) is not None


def test_small_cut_off_and_turned_faces_are_held_back() -> None:
    shots = _shots()
    profile = Face(200, 100, 80, 100, 0.9, (230, 140), (250, 140), (265, 160))
    for face in (Face(200, 100, 39, 50, 0.9), Face(-40, 100, 80, 100, 0.9), profile):
        assert shots.choose(_frame(), _track(face, name=str(face.x))) is None
    assert shots.held_back == {HeldBack.SMALL: 1, HeldBack.CUT_OFF: 1, HeldBack.PROFILE: 1}


def test_a_blurred_face_is_held_back_once() -> None:
    shots, sharp = _shots(), _frame()
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    pictures = [sharp, sharp, blurred, blurred, sharp]
    sent = [shots.choose(p, _track(at_ms=i * 200)) is not None for i, p in enumerate(pictures)]
    assert sent == [True, True, False, True, True]
    assert shots.held_back == {HeldBack.BLURRED: 1}


def test_a_head_from_the_front_is_not_turned() -> None:
    front = Face(0, 0, 80, 100, 0.9, (20, 40), (60, 40), (41, 60))
    assert turn(front) < 0.1
    assert turn(_FACE) == 0  # nobody knows
    assert turn(Face(0, 0, 80, 100, 0.9, (40, 40), (43, 40), (20, 60))) == 1


def test_what_is_not_sent_is_forgotten_with_its_track() -> None:
    shots = _shots(crops_per_s=1)
    shots.choose(_frame(), _track())
    shots.forget({"b"})
    assert shots.choose(_frame(), _track(at_ms=100)) is not None


def _still(pictures: StillPictures, frames: list[tuple[Pixels, Face]], name: str) -> list[bool]:
    return [
        pictures.is_still(pixels, _track(face, i * 500, name))
        for i, (pixels, face) in enumerate(frames)
    ]


def test_a_picture_on_a_wall_is_no_person_and_stays_known() -> None:
    pictures = StillPictures()
    hanging = [(_frame(noise=6), _FACE)] * 6
    assert _still(pictures, hanging, "a") == [False] * (STILL_AFTER_MS // 500) + [True] * 2
    pictures.forget(set())
    assert _still(pictures, hanging, "b") == [True] * 6


def test_a_picture_that_is_found_late_hung_there_before() -> None:
    pictures, late = StillPictures(), STILL_AFTER_MS + 500
    for at_ms in range(0, late + 1, 100):
        pictures.remember(_frame(noise=6), at_ms)
    assert pictures.is_still(_frame(noise=6), _track(at_ms=late))


def test_who_comes_was_not_there_before() -> None:
    pictures, late = StillPictures(), STILL_AFTER_MS + 500
    for at_ms in range(0, late + 1, 100):
        pictures.remember(np.full((480, 640, 3), 110, np.uint8), at_ms)
    assert not pictures.is_still(_frame(noise=6), _track(at_ms=late))


def test_a_person_moves_and_may_stand_before_a_picture() -> None:
    pictures = StillPictures()
    _still(pictures, [(_frame(noise=6), _FACE)] * 6, "a")
    person = [(_frame(seed), _FACE) for seed in range(10, 20)]
    assert not any(_still(pictures, person, "b"))


def test_who_stood_still_and_walks_on_is_a_person_again() -> None:
    pictures = StillPictures()
    _still(pictures, [(_frame(noise=6), _FACE)] * 6, "a")
    away = Face(_FACE.x + 30, _FACE.y, _FACE.width, _FACE.height, 0.9)
    assert not pictures.is_still(_frame(), _track(away, 9000))


def test_a_box_outside_the_frame_does_no_harm() -> None:
    assert not StillPictures().is_still(_frame(), _track(Face(900, 900, 50, 60, 0.9)))
