"""What a camera's pictures say of it: no false alarm, and each condition told once, in time."""

import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskgate.inference.image import Pixels
from producer.video.conditions import CameraCondition, ToldCondition
from producer.video.health_limits import HealthLimits
from producer.video.picture_health import PictureHealth
from tests.unit.drawn_rooms import HEIGHT, WIDTH, corridor, lobby, noisy, person_walks

ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(os.environ.get("MASKGATE_VIDEOS", ROOT.parent / "shared" / "video"))
CLIPS = [FOLDER / "1_four_people_put_masks_on.mp4", FOLDER / "3_news_bare_then_patterned.mp4"]
UP = CameraCondition.UP
FPS = 5.0
Change = Callable[[Pixels], Pixels]


def still(picture: Pixels, sigma: float, seconds: float) -> Iterator[Pixels]:
    rng = np.random.default_rng(1)
    return (noisy(picture, sigma, rng) for _ in range(round(seconds * FPS)))


class Camera:
    """Feeds frames at a rate and keeps what was told."""

    def __init__(self) -> None:
        self.health = PictureHealth()
        self.told: list[ToldCondition] = []
        self.now_s = 100.0

    def films(self, frames: Iterable[Pixels], fps: float = FPS) -> None:
        for frame in frames:
            self.now_s += 1 / fps
            self._keep(self.health.frame(frame, self.now_s))

    def waits(self, seconds: float, trouble: str = "") -> None:
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            self._keep(self.health.no_frame(self.now_s, trouble))

    def _keep(self, state: ToldCondition) -> None:
        if not self.told or state is not self.told[-1]:
            self.told.append(state)

    @property
    def conditions(self) -> list[CameraCondition]:
        return [state.condition for state in self.told]


def shaded(frame: Pixels) -> Pixels:
    """A hand on the lens: light leaks in at one side."""
    ramp = np.linspace(30, 110, frame.shape[1], dtype=np.float32)[None, :, None]
    hand = np.broadcast_to(ramp * np.asarray((1.0, 0.6, 0.5), np.float32), frame.shape)
    return noisy(np.asarray(hand, np.uint8), 2, np.random.default_rng(frame[::7, ::7].sum()))


def taped(frame: Pixels) -> Pixels:
    tape = np.full_like(frame, 120)
    return noisy(tape, 2, np.random.default_rng(frame[::7, ::7].sum()))


def blurred(frame: Pixels, part: int) -> Pixels:
    """Each point is spread over so small a part of the width to each side: quicker than Gauss."""
    side = 2 * (frame.shape[1] // part) + 1
    return np.asarray(cv2.stackBlur(frame, (side, side)), np.uint8)


CHANGES: dict[str, tuple[CameraCondition, Change]] = {
    "dark": (CameraCondition.DARK, lambda frame: np.asarray(frame * 0.1, np.uint8)),
    "black": (CameraCondition.DARK, np.zeros_like),
    "bright": (
        CameraCondition.OVEREXPOSED,
        lambda frame: np.asarray(np.clip(frame * 4.0, 0, 255), np.uint8),
    ),
    "white": (CameraCondition.OVEREXPOSED, lambda frame: np.full_like(frame, 255)),
    "hand": (CameraCondition.COVERED, shaded),
    "tape": (CameraCondition.COVERED, taped),
    "blurred": (CameraCondition.OUT_OF_FOCUS, lambda frame: blurred(frame, 60)),
    "very_blurred": (CameraCondition.OUT_OF_FOCUS, lambda frame: blurred(frame, 16)),
}


def assert_told_once_and_over(films: Callable[[float], Iterator[Pixels]], name: str) -> None:
    """``films`` yields so many seconds of a camera."""
    condition, change = CHANGES[name]
    camera = Camera()
    camera.films(films(8))
    begun_s = camera.now_s
    camera.films(map(change, films(8)))
    gone_s = camera.now_s
    camera.films(films(8))
    assert camera.conditions == [UP, condition, UP]
    assert camera.told[1].since_s - begun_s < 5
    assert 1 <= camera.told[2].since_s - gone_s < 3


@pytest.mark.parametrize("name", CHANGES)
def test_a_condition_is_told_once_within_5_s_and_is_over_by_itself(name: str) -> None:
    assert_told_once_and_over(person_walks, name)


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "blurred"])
def test_a_camera_that_starts_with_a_condition_is_told_as_well(name: str) -> None:
    condition, change = CHANGES[name]
    camera = Camera()
    camera.films(map(change, person_walks(5)))
    assert camera.conditions == [UP, condition]


def clip(path: Path, seconds: float) -> Iterator[Pixels]:
    """A filmed clip, at 5 frames a second, repeated."""
    return islice(cycle(decoded(path)), round(seconds * FPS))


@lru_cache(maxsize=1)
def decoded(path: Path) -> list[Pixels]:
    av = pytest.importorskip("av", reason="the camera extra is not installed")
    if not path.exists():
        pytest.skip(f"no clip at {path}: set MASKGATE_VIDEOS to the folder of the clips")
    with av.open(str(path)) as opened:
        step = round(float(opened.streams.video[0].average_rate) / FPS)
        frames = islice(opened.decode(video=0), 0, None, step)
        return [frame.to_ndarray(format="rgb24") for frame in frames]


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem[:6])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_clips_are_recognised(path: Path, name: str) -> None:
    assert_told_once_and_over(lambda seconds: clip(path, seconds), name)


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem[:6])
def test_clips_raise_no_alarm_and_a_frozen_clip_does(path: Path) -> None:
    camera = Camera()
    camera.films(clip(path, 20))
    assert camera.conditions == [UP]
    (frame, *_) = clip(path, 0.2)
    begun_s = camera.now_s
    camera.films([frame] * 50)
    camera.films(clip(path, 5))
    assert camera.conditions == [UP, CameraCondition.FROZEN, UP]
    assert camera.told[1].since_s - begun_s < 5


def test_a_frozen_picture_is_told_once_and_ends_with_new_ones() -> None:
    camera = Camera()
    camera.films(person_walks(10))
    begun_s = camera.now_s
    camera.films([lobby()] * 100)
    camera.films(person_walks(5))
    assert camera.conditions == [UP, CameraCondition.FROZEN, UP]
    assert camera.told[1].since_s - begun_s < 5


@pytest.mark.parametrize("fps", [1, 2, 10, 25])
def test_a_frozen_picture_is_told_at_any_frame_rate(fps: float) -> None:
    camera = Camera()
    camera.films([corridor()] * round(6 * fps), fps)
    assert camera.conditions == [UP, CameraCondition.FROZEN]
    assert camera.told[1].since_s - camera.told[0].since_s < 5


def test_a_frozen_picture_with_a_running_clock_is_frozen() -> None:
    frames = [corridor() for _ in range(40)]
    for n, frame in enumerate(frames):
        cv2.putText(frame, f"12:00:{n}", (10, 40), cv2.FONT_HERSHEY_PLAIN, 3, (255, 255, 255), 3)
    camera = Camera()
    camera.films(frames)
    assert camera.conditions == [UP, CameraCondition.FROZEN]


@pytest.mark.parametrize("sigma", [0.5, 1, 4, 8])
def test_a_still_room_with_the_noise_of_a_sensor_is_not_frozen(sigma: float) -> None:
    camera = Camera()
    camera.films(still(corridor(), sigma, 30))
    assert camera.conditions == [UP]


@pytest.mark.parametrize(("light", "sigma"), [(0.7, 3), (0.4, 6), (0.35, 8)])
def test_an_empty_corridor_at_night_raises_no_alarm(light: float, sigma: float) -> None:
    grey = cv2.cvtColor(corridor(light), cv2.COLOR_RGB2GRAY)
    infrared = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    camera = Camera()
    camera.films(person_walks(10))
    camera.films(still(infrared, sigma, 30))
    assert camera.conditions == [UP]


@pytest.mark.parametrize("light", [1.0, 0.5])
def test_a_bare_wall_with_a_door_is_not_covered(light: float) -> None:
    wall = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    cv2.rectangle(wall, (420, 120), (560, HEIGHT), (60, 60, 60), -1)
    camera = Camera()
    camera.films(still(np.asarray(wall * light, np.uint8), 6, 10))
    assert camera.conditions == [UP]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}),
        ("libx264", {"preset": "veryfast", "tune": "zerolatency", "b": "300000"}),
        ("mjpeg", {"q:v": "5"}),
    ],
)
def test_an_encoder_neither_hides_nor_feigns_a_frozen_picture(
    codec: str, options: dict[str, str]
) -> None:
    room = corridor()
    camera = Camera()
    camera.films(encoded(still(room, 1.0, 12), codec, options))
    assert camera.conditions == [UP]
    frozen = noisy(room, 1.0, np.random.default_rng(0))
    again = Camera()
    again.films(encoded([frozen] * 60, codec, options))
    assert again.conditions == [UP, CameraCondition.FROZEN]


def encoded(frames: Iterable[Pixels], codec: str, options: dict[str, str]) -> Iterator[Pixels]:
    """The frames after an encoder with a key frame every 4 s."""
    av = pytest.importorskip("av", reason="the camera extra is not installed")
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height = WIDTH, HEIGHT
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.framerate, encoder.gop_size, encoder.options = int(FPS), 20, options
    encoder.time_base = Fraction(1, int(FPS))
    decoder = av.CodecContext.create("mjpeg" if codec == "mjpeg" else "h264", "r")
    for n, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = n
        for packet in encoder.encode(frame):
            for out in decoder.decode(packet):
                yield out.to_ndarray(format="rgb24")


def test_where_an_encoder_removes_all_noise_an_empty_room_is_not_frozen_at_once() -> None:
    camera = Camera()
    camera.films(person_walks(15, sigma=0))
    camera.films([corridor()] * 100)
    assert camera.conditions == [UP]
    camera.films([corridor()] * 100)
    assert camera.conditions == [UP, CameraCondition.FROZEN]


def test_a_short_exception_neither_ends_nor_delays_a_condition() -> None:
    dark, light = corridor(0.05), corridor()
    camera = Camera()
    camera.films([light, *[dark] * 9, light, *[dark] * 9, light, *[dark] * 20])
    assert camera.conditions == [UP, CameraCondition.DARK]
    assert camera.told[1].since_s < 100 + 5


def test_what_passes_the_lens_is_not_told() -> None:
    camera = Camera()
    for _ in range(5):
        camera.films(person_walks(3))
        camera.films(map(taped, person_walks(2)))
    assert camera.conditions == [UP]


def test_a_covered_camera_stays_covered_when_the_light_goes_out() -> None:
    """Of two conditions, the first of the list is told."""
    camera = Camera()
    camera.films(map(taped, person_walks(6)))
    camera.films(np.zeros_like(frame) for frame in person_walks(6))
    camera.films(person_walks(6))
    assert camera.conditions == [UP, CameraCondition.COVERED, CameraCondition.DARK, UP]


@pytest.mark.parametrize(
    ("trouble", "condition"),
    [("", CameraCondition.STALLED), ("refused", CameraCondition.NO_SIGNAL)],
)
def test_a_source_without_frames_is_told_and_recovers(
    trouble: str, condition: CameraCondition
) -> None:
    camera = Camera()
    camera.films(person_walks(2))
    begun_s = camera.now_s
    camera.waits(10, trouble)
    camera.films(person_walks(4))
    assert camera.conditions == [UP, condition, UP]
    assert camera.told[1].since_s - begun_s < 5


def test_a_camera_that_never_sent_a_frame_is_told() -> None:
    camera = Camera()
    camera.waits(5, "no route to host")
    assert camera.conditions == [UP, CameraCondition.NO_SIGNAL]


def test_a_slow_camera_is_not_stalled() -> None:
    camera = Camera()
    for frame in person_walks(4):
        camera.films([frame])
        camera.waits(0.8)
    assert camera.conditions == [UP]


def test_a_single_frame_of_a_dead_source_is_no_recovery() -> None:
    camera = Camera()
    camera.waits(5)
    camera.films([corridor()])
    camera.waits(10)
    assert camera.conditions == [UP, CameraCondition.STALLED]


def test_another_resolution_raises_no_alarm() -> None:
    camera = Camera()
    for size in ((640, 480), (1280, 720), (320, 240), (160, 120)):
        camera.films(
            np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
            for frame in person_walks(5)
        )
    assert camera.conditions == [UP]


def test_blacked_out_parts_are_not_judged() -> None:
    """All but a third is blacked out; the rest shows a person, later a hand."""
    visible = np.zeros((HEIGHT, WIDTH), np.uint8)
    visible[100:400, 200:440] = 255
    health, now_s = PictureHealth(), 0.0
    told = []
    for frames in (person_walks(8), map(taped, person_walks(6))):
        for frame in frames:
            now_s += 1 / FPS
            told.append(health.frame(frame * (visible[..., None] != 0), now_s, visible).condition)
    assert set(told[:40]) == {UP}
    assert told[-1] == CameraCondition.COVERED


def test_a_camera_that_sees_nothing_at_all_is_up() -> None:
    health, nothing = PictureHealth(), np.zeros((HEIGHT, WIDTH), np.uint8)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert {health.frame(picture, n / FPS, nothing).condition for n in range(40)} == {UP}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(0, 255), st.floats(0, 5)),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_frame_raises(frames: list[tuple[int, int, int, float]], masked: bool) -> None:  # noqa: FBT001
    health, now_s = PictureHealth(HealthLimits()), 0.0
    for height, width, level, pause_s in frames:
        now_s += pause_s
        rng = np.random.default_rng(level)
        pixels = rng.integers(0, level + 1, (height, width, 3), np.uint8)
        visible = rng.integers(0, 2, (height, width), np.uint8) if masked else None
        assert health.frame(pixels, now_s, visible).condition in CameraCondition
        assert health.no_frame(now_s, "x" * (level % 2)).since_s <= now_s
