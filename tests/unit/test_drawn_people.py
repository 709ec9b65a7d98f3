import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskgate.inference.image import Pixels
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from producer.scenes.person import EXTENT, SCALE, Person, Pose, Worn

SHIPPED = Path(__file__).parent.parent.parent / "deploy" / "model" / "mask.onnx"
GREY = 140.0


def on_grey(picture: Pixels) -> Pixels:
    opacity = picture[..., 3:].astype(float) / 255
    return np.asarray(np.clip(GREY * (1 - opacity) + picture[..., :3], 0, 255), np.uint8)


def face(person: Person, pose: Pose) -> Pixels:
    """The face with some room around it, as a detector would frame it."""
    half = person.looks.half_width * 1.25
    rows, columns = (
        slice(round((-half - low) * SCALE), round((half + 8 - low) * SCALE))
        for low in (EXTENT[1], EXTENT[0])
    )
    return on_grey(person.pictures(pose)[0])[rows, columns]


def mouth(person: Person, pose: Pose) -> Pixels:
    x, y = -EXTENT[0] * SCALE, (0.5 * person.looks.half_height - EXTENT[1]) * SCALE
    return on_grey(person.pictures(pose)[0])[round(y) - 12 : round(y) + 12, round(x) - 20 :][:, :40]


def test_a_seed_is_a_person() -> None:
    pose = Pose(Worn.ON, turn=0.2)
    first, again, other = (Person(seed).pictures(pose)[0] for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_the_shipped_model_tells_whether_a_person_wears_the_mask() -> None:
    model = Model.load(SHIPPED)
    right = []
    for seed, worn in itertools.product(range(24), (Worn.OFF, Worn.ON)):
        crop = reduce(face(Person(seed), Pose(worn)), model.card.input)
        right.append((model.p_mask([crop])[0] >= model.card.threshold) == (worn is Worn.ON))
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize(
    ("worn", "shows_mouth"),
    [(Worn.OFF, True), (Worn.CHIN, True), (Worn.UNDER_NOSE, False), (Worn.ON, False)],
)
def test_a_mask_covers_the_mouth_unless_it_is_at_the_chin(worn: Worn, shows_mouth: bool) -> None:  # noqa: FBT001
    person = Person(5)
    bare = mouth(person, Pose()).astype(int)
    changed = np.abs(mouth(person, Pose(worn)) - bare).mean()
    assert (changed < 5) == shows_mouth


def test_a_hand_covers_the_mouth() -> None:
    person = Person(5)
    covered, bare = mouth(person, Pose(hand=1)).astype(int), mouth(person, Pose())
    assert np.abs(covered - bare).mean() > 10
    assert (mouth(person, Pose(hand=0.2)) == bare).all()


@pytest.mark.parametrize("worn", list(Worn))
@pytest.mark.parametrize("turn", [0.0, -0.5, 1.0, -1.0])
def test_a_layer_has_no_halo(worn: Worn, turn: float) -> None:
    """A colour that is multiplied by its opacity never exceeds it."""
    for picture in Person(7).pictures(Pose(worn, turn)):
        assert (picture[..., :3] <= picture[..., 3:].astype(int) + 1).all()
        assert not picture[0, :, 3].any()
        assert not picture[:, 0, 3].any()
        assert not picture[:, -1, 3].any()
        assert picture[-1, :, 3].max() == 255


def test_a_person_who_looks_left_is_the_mirror_of_one_who_looks_right() -> None:
    left, right = (Person(9).pictures(Pose(turn=turn))[0][: 3 * 110] for turn in (-1, 1))
    head = slice(0, round(-EXTENT[1] * SCALE))
    difference = cv2.absdiff(left[head, ::-1], right[head])
    assert difference.mean() < 1
    assert cv2.absdiff(left[head], right[head]).mean() > 5


def test_poses_are_rounded_to_those_that_are_drawn() -> None:
    assert Pose(turn=0.61).rounded() == Pose(turn=0.5)
    assert Pose(turn=-0.8).rounded() == Pose(turn=-1.0)
    assert Pose(turn=0.012, hand=0.95).rounded() == Pose(hand=1.0)


def test_a_person_forgets_old_poses() -> None:
    person = Person(2)
    for step in range(-10, 11):
        person.pictures(Pose(turn=step / 20))
    assert len(person._drawn) == 16
