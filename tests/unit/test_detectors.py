"""Both face detectors find the same faces, and survive any picture and any file."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ConfigurationError, ModelError
from producer.drawing import draw_face
from producer.video.detection import load
from producer.video.detection.blazeface import BlazeFace, _merged
from producer.video.detection.loading import Kind
from producer.video.detection.yunet import YuNet
from producer.video.frame import Face, FaceDetector

ROOT = Path(__file__).parents[2]
#: A drawing holds a head and its shoulders: the face, from the forehead to the chin, is a part.
FACE_IN_DRAWING = 0.25, 0.95


@pytest.fixture(params=["blazeface", "yunet"])
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def file(kind: Kind, request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(f"{kind}_file")
    return path


@pytest.fixture
def detector(kind: Kind, file: Path) -> FaceDetector:
    return load(kind, file)


def drawn_scene(side_px: int, seed: int, *, at: tuple[int, int] = (200, 100)) -> Pixels:
    """One drawn face of ``side_px`` on a grey wall of 640x480 px; every second one is masked."""
    rng = np.random.default_rng(seed)
    scene = 110 + rng.integers(0, 20, (480, 640, 3))
    drawing = cv2.resize(draw_face(rng, masked=bool(seed % 2)).pixels, (side_px, side_px))
    x, y = at
    scene[y : y + side_px, x : x + side_px] = drawing
    return np.asarray(scene, np.uint8)


def is_in_drawing(face: Face, side_px: int, at: tuple[int, int]) -> bool:
    low, high = FACE_IN_DRAWING
    x, y = np.subtract(face.centre, at)
    return bool(
        0 < x < side_px
        and 0 < y < side_px
        and low * side_px < face.width < high * side_px
        and low * side_px < face.height < 1.2 * high * side_px
    )


@pytest.mark.parametrize("side_px", [60, 120, 200, 300, 480])
def test_drawn_faces_are_found_at_every_size(
    kind: Kind, detector: FaceDetector, side_px: int
) -> None:
    """Of 20. YuNet does not take most masked drawings for faces."""
    at = (640 - side_px) // 2, (480 - side_px) // 2
    found = [detector.detect(drawn_scene(side_px, seed, at=at)) for seed in range(20)]
    faces = [[face for face in each if face.score >= 0.5] for each in found]
    right = sum(len(each) == 1 and is_in_drawing(each[0], side_px, at) for each in faces)
    assert right >= {"blazeface": 17, "yunet": 8}[kind], faces


def overlap(one: Face, other: Face) -> float:
    """Intersection over union."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    common = max(0.0, width) * max(0.0, height)
    return common / (one.width * one.height + other.width * other.height - common)


def test_boxes_of_both_detectors_mean_the_same(blazeface_file: Path, yunet_file: Path) -> None:
    blazeface, yunet = BlazeFace(blazeface_file), YuNet(yunet_file)
    pairs = [
        (ours[0], theirs[0])
        for seed in range(60)
        if (ours := blazeface.detect(scene := drawn_scene((120, 200, 300)[seed % 3], seed)))
        and (theirs := yunet.detect(scene))
    ]
    assert len(pairs) >= 40
    assert np.median([overlap(*pair) for pair in pairs]) > 0.75
    differences = [
        ((a.y - b.y) / b.height, (a.y + a.height - b.y - b.height) / b.height, a.width / b.width)
        for a, b in pairs
    ]
    top, bottom, width = np.median(differences, axis=0)
    assert abs(top) < 0.1
    assert abs(bottom) < 0.1
    assert 0.85 < width < 1.15
    points = [
        np.subtract(getattr(a, name), getattr(b, name)) / b.width
        for a, b in pairs
        for name in ("right_eye", "left_eye", "nose")
    ]
    assert np.median(np.abs(points)) < 0.1


def test_the_points_are_in_the_order_of_the_person(detector: FaceDetector) -> None:
    (face,) = detector.detect(drawn_scene(200, 4))
    assert face.right_eye
    assert face.left_eye
    assert face.nose
    # The person's right eye is left in the picture.
    assert face.x < face.right_eye[0] < face.nose[0] < face.left_eye[0] < face.x + face.width
    assert face.nose[1] > max(face.right_eye[1], face.left_eye[1])


def test_a_face_is_where_it_is_in_the_picture(detector: FaceDetector) -> None:
    (here,) = detector.detect(drawn_scene(200, 4, at=(64, 32)))
    (there,) = detector.detect(drawn_scene(200, 4, at=(384, 256)))
    moved = np.subtract(there.centre, here.centre)
    assert np.abs(moved - (320, 224)).max() < 10


def test_a_large_picture_gives_the_same_face_in_its_own_pixels(detector: FaceDetector) -> None:
    scene = drawn_scene(200, 4)
    (small,) = detector.detect(scene)
    (large,) = detector.detect(np.asarray(cv2.resize(scene, (1920, 1440)), np.uint8))
    assert np.abs(np.array(large.centre) / 3 - small.centre).max() < 10
    assert 0.85 < large.width / 3 / small.width < 1.15


def test_a_near_face_is_found_once_and_not_in_parts(blazeface_file: Path) -> None:
    """At this level alone it would be lost: the coarse level finds it, and its parts are left."""
    detector = BlazeFace(blazeface_file, side_px=640)
    found = [len(detector.detect(drawn_scene(480, seed, at=(80, 0)))) for seed in range(20)]
    assert found.count(1) >= 18, found


def row(x: float, y: float, side: float) -> list[tuple[float, float]]:
    """What BlazeFace says about a face at x, y; its points do not matter."""
    return [(x, y), (side, side), *[(x, y)] * 6]


def test_of_a_face_and_its_parts_the_face_is_left_even_if_a_part_is_surer() -> None:
    rows = np.array([row(120, 140, 40), row(100, 100, 200), row(104, 100, 200)], np.float32)
    ((face, score),) = _merged(rows, np.array([0.9, 0.6, 0.6], np.float32), 0.5)
    assert face[0].tolist() == [102, 100]
    assert score == pytest.approx(0.6)


def test_a_large_box_that_is_no_face_hides_none() -> None:
    rows = np.array([row(120, 140, 40), row(100, 100, 200)], np.float32)
    faces = _merged(rows, np.array([0.9, 0.3], np.float32), 0.5)
    assert [face[1, 0] for face, _ in faces] == [40]


def test_two_faces_beside_each_other_are_two() -> None:
    rows = np.array([row(100, 100, 80), row(160, 100, 80)], np.float32)
    assert len(_merged(rows, np.array([0.9, 0.6], np.float32), 0.5)) == 2


def test_a_wide_picture_loses_no_resolution(detector: FaceDetector) -> None:
    scene = np.full((240, 1280, 3), 120, np.uint8)
    scene[60:180, 1000:1120] = drawn_scene(120, 4)[100:220, 200:320]
    (face,) = detector.detect(scene)
    assert 1000 < face.centre[0] < 1120


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 640), (480, 1), (31, 33), (2, 8000), (8000, 3), (240, 321)]
)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_picture_of_any_size_has_no_face(
    detector: FaceDetector, shape: tuple[int, int], value: int
) -> None:
    assert detector.detect(np.full((*shape, 3), value, np.uint8)) == []


def test_noise_has_no_face(detector: FaceDetector) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert detector.detect(rng.integers(0, 256, (480, 640, 3), np.uint8)) == []


def test_a_part_of_a_picture_is_read_as_it_is(detector: FaceDetector) -> None:
    scene = drawn_scene(200, 4)
    part = scene[50:350, 150:450]
    assert not part.flags["C_CONTIGUOUS"]
    assert detector.detect(part) == detector.detect(part.copy())
    assert detector.detect(part)


def test_a_higher_least_score_leaves_only_surer_faces(kind: Kind, file: Path) -> None:
    scene = drawn_scene(200, 4)
    (face,) = load(kind, file).detect(scene)
    assert load(kind, file, min_score=face.score + 0.01).detect(scene) == []
    (same,) = load(kind, file, min_score=face.score - 0.01).detect(scene)
    assert same.centre == pytest.approx(face.centre, abs=1)


def damaged(content: bytes, how: str) -> bytes:
    return {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "text": b"not a model" * 1000,
        "another network": (ROOT / "deploy" / "model" / "mask.onnx").read_bytes(),
    }[how]


DAMAGES = pytest.mark.parametrize("how", ["empty", "truncated", "text", "another network"])


@DAMAGES
def test_a_file_with_another_hash_is_refused_before_it_is_parsed(
    kind: Kind, file: Path, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object) -> None:
        pytest.fail("parsed")

    monkeypatch.setattr("producer.video.detection.blazeface.to_onnx", parse)
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", parse)
    bad = tmp_path / "bad"
    bad.write_bytes(damaged(file.read_bytes(), how))
    with pytest.raises(ModelError) as error:
        load(kind, bad)
    for part in (
        str(bad),
        hashlib.sha256(bad.read_bytes()).hexdigest(),
        hashlib.sha256(file.read_bytes()).hexdigest(),
        "detector_sha256",
    ):
        assert part in str(error.value)


@DAMAGES
def test_a_file_that_is_trusted_and_no_detector_is_refused(
    kind: Kind, file: Path, how: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(damaged(file.read_bytes(), how))
    with pytest.raises(ModelError, match=f"detector {bad}: .*run (it )?as"):
        load(kind, bad, sha256=hashlib.sha256(bad.read_bytes()).hexdigest().upper())


def test_one_detector_given_as_the_other_is_refused(blazeface_file: Path, yunet_file: Path) -> None:
    swapped: list[tuple[Kind, Path]] = [("blazeface", yunet_file), ("yunet", blazeface_file)]
    for kind, path in swapped:
        with pytest.raises(ModelError, match=r"run (it )?as"):
            load(kind, path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_that_is_missing_or_far_too_large_is_refused(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"detector .*none: No such file"):
        load(kind, tmp_path / "none")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match=r"huge: larger than 64 MiB"):
        load(kind, huge)


def test_without_its_file_the_default_says_which_command_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "producer.video.detection.loading.default_file", lambda: None
    )  # it may be installed here
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError) as error:
        load()
    assert "python -m producer detector" in str(error.value)
    assert str(tmp_path / "maskgate" / "face_detection_back.tflite") in str(error.value)


def test_the_default_is_found_in_the_cache(
    blazeface_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.video.detection.places._BESIDE_MODEL", tmp_path / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "maskgate" / "face_detection_back.tflite"
    place.parent.mkdir()
    place.write_bytes(blazeface_file.read_bytes())
    assert load().detect(drawn_scene(200, 4))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: load("haar"), "haar"),  # type: ignore[arg-type]
        (lambda: load("yunet"), "detector_model"),
        (lambda: load(sha256="e376"), "detector_sha256"),
        (lambda: load(min_score=1.0), "detector_min_score"),
        (lambda: load(min_score=float("nan")), "detector_min_score"),
        (lambda: load(side_px=31), "detector_side_px"),
    ],
)
def test_a_wrong_option_is_named(call: Callable[[], FaceDetector], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        call()
