"""From frames to crop messages, with a detector that says what it is given."""

from collections.abc import Iterator

import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Message, parse
from producer.drawing import draw_face
from producer.video.best_shots import BestShots, HeldBack, framed
from producer.video.camera import IDLE_MS, Camera
from producer.video.frame import Face, Frame
from producer.video.motion import Change, Motion

SHAPE = InputShape(64, 64, 3)
_BOX = (200.0, 100.0, 112.0, 112.0)


class _Detector:
    """Finds the faces that it is told, and counts how often it was asked."""

    def __init__(self) -> None:
        self.faces: list[Face] = [Face(*_BOX, 0.9)]
        self.asked = 0

    def detect(self, pixels: Pixels) -> list[Face]:
        self.asked += 1
        return self.faces


def _pictures(*, still: bool = False) -> Iterator[Pixels]:
    rng = np.random.default_rng(3)
    face = draw_face(rng, masked=False).pixels
    while True:
        pixels = np.full((480, 640, 3), 120, np.uint8)
        pixels[100:212, 200:312] = face
        yield pixels
        if not still:
            face = draw_face(rng, masked=False).pixels


def _camera(detector: _Detector, crops_per_s: float = 5) -> tuple[Camera, list[Message]]:
    sent: list[Message] = []
    shots = BestShots(crops_per_s, min_face_px=40)
    return Camera("lobby", detector, shots, SHAPE, sent.append), sent


def test_a_crop_is_what_a_worker_accepts_and_shows_the_face() -> None:
    camera, sent = _camera(_Detector())
    pixels = next(_pictures())
    camera.process(Frame(pixels, 1_000))
    assert not sent, "a face that is found once may be none"
    camera.process(Frame(next(_pictures()), 1_200))
    crop = parse(sent[0], audit=False)
    assert (crop.camera_id, crop.captured_at_ms) == ("lobby", 1_000)
    expected = framed(pixels, Face(*_BOX, 0.9))
    assert expected is not None
    assert crop.body.endswith(reduce(expected, SHAPE).tobytes())


def test_one_person_has_one_track() -> None:
    camera, sent = _camera(_Detector())
    for i, pixels in zip(range(10), _pictures(), strict=False):
        camera.process(Frame(pixels, 1_000 + i * 200))
    assert len({parse(message, audit=False).track_id for message in sent}) == 1
    assert camera.counts.crops == len(sent) == 10 - camera.shots.held_back[HeldBack.BLURRED]


def test_what_is_found_once_is_not_sent() -> None:
    detector = _Detector()
    camera, sent = _camera(detector)
    camera.process(Frame(next(_pictures()), 1_000))
    detector.faces = []
    camera.process(Frame(next(_pictures()), 2_000))
    camera.process(Frame(next(_pictures()), 3_000))
    assert not sent
    assert +camera.shots.held_back == {HeldBack.SEEN_ONCE: 1}


def test_every_face_is_sent_or_held_back_with_a_reason() -> None:
    detector = _Detector()
    detector.faces += [Face(10, 10, 20, 25, 0.9), Face(400, 10, 60, 75, 0.4)]
    camera, sent = _camera(detector)
    for i, pixels in zip(range(20), _pictures(), strict=False):
        camera.process(Frame(pixels, 1_000 + i * 100))
    assert camera.counts.faces == len(sent) + camera.shots.held_back.total() == 60
    assert camera.shots.held_back[HeldBack.SMALL] > 0
    assert camera.shots.held_back[HeldBack.WEAK] == 20


def test_an_empty_still_room_costs_one_detection_a_second() -> None:
    detector = _Detector()
    detector.faces = []
    camera, _ = _camera(detector)
    for i, pixels in zip(range(51), _pictures(still=True), strict=False):
        camera.process(Frame(pixels, 1_000 + i * 100))
    assert detector.asked == 1 + 5_000 // IDLE_MS


def test_motion_is_looked_at_in_every_frame() -> None:
    detector = _Detector()
    detector.faces = []
    camera, _ = _camera(detector)
    for i, pixels in zip(range(20), _pictures(), strict=False):
        camera.process(Frame(pixels, 1_000 + i * 100))
    assert detector.asked == 20


def test_a_cut_ends_the_tracks() -> None:
    camera, sent = _camera(_Detector())
    before, after = next(_pictures()), np.full((480, 640, 3), 250, np.uint8)
    for at_ms, pixels in ((1_000, before), (1_200, before), (1_400, after), (1_600, after)):
        camera.process(Frame(pixels, at_ms))
    ids = [parse(message, audit=False).track_id for message in sent]
    assert len(ids) == 4
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_clock_that_jumps_back_does_no_harm() -> None:
    camera, sent = _camera(_Detector())
    for at_ms, pixels in zip((5_000, 1_000, 5_400), _pictures(), strict=False):
        camera.process(Frame(pixels, at_ms))
    times = [parse(message, audit=False).captured_at_ms for message in sent]
    assert times == [5_000, 5_400]


def test_the_resolution_may_change() -> None:
    camera, sent = _camera(_Detector())
    pixels = next(_pictures())
    camera.process(Frame(pixels, 1_000))
    camera.process(Frame(np.ascontiguousarray(pixels[:300, :400]), 1_200))
    assert len(sent) == 2
    camera.process(Frame(pixels[:1, :1], 1_400))
    assert len(sent) == 2


@pytest.mark.parametrize("scale", [1, 3])
def test_noise_is_no_motion_but_slow_movements_add_up(scale: int) -> None:
    motion, rng = Motion(), np.random.default_rng(0)
    room = np.full((480 * scale, 640 * scale, 3), 100.0)
    seen = [
        motion.change(np.clip(room + rng.normal(0, 12, room.shape), 0, 255).astype(np.uint8))
        for _ in range(10)
    ]
    assert seen == [Change.CUT] + [Change.NONE] * 9
    creeping = []
    for i in range(10):
        room[200 * scale : 300 * scale, 200 * scale : 300 * scale] = 100 + 2 * i
        creeping.append(motion.change(room.astype(np.uint8)))
    assert Change.MOTION in creeping
