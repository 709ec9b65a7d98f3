from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from maskgate.inference.image import Pixels
from producer.scenes.actor import Actor, Span, Waypoint, put_on, taken_off
from producer.scenes.background import draw_background
from producer.scenes.everyday import Everyday
from producer.scenes.person import Person, Worn
from producer.scenes.scene import Scene
from producer.scenes.scripts import SCRIPTS, random_visit
from producer.scenes.truth import Seen

NOISE_FREE = 0.0
STANDING = (Waypoint(0, 0.5, 150), Waypoint(6, 0.5, 150))


def scene(*actors: Actor, **options: object) -> Scene:
    return Scene(1, actors, 6.0, noise=NOISE_FREE, **options)  # type: ignore[arg-type]


def drawn(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Where a noise-free picture differs from the empty room."""
    return np.asarray(cv2.absdiff(pixels, draw_background(1)).max(axis=2) > 8)


def inside(seen: Seen, *, lower_half: bool = False) -> tuple[slice, slice]:
    top = seen.y + (seen.height / 2 if lower_half else 0)
    return (
        slice(round(top), round(seen.y + seen.height)),
        slice(round(seen.x), round(seen.x + seen.width)),
    )


def oval(seen: Seen, share: float = 1.0) -> npt.NDArray[np.bool_]:
    """The pixels of a frame in the ellipse that fills the box, or a share of it."""
    cover = np.zeros((480, 640), np.uint8)
    axes = (round(share * seen.width / 2), round(share * seen.height / 2))
    centre = (round(seen.x + seen.width / 2), round(seen.y + seen.height / 2))
    cv2.ellipse(cover, centre, axes, 0, 0, 360, 1, -1)
    return cover > 0


@pytest.mark.parametrize("name", [*SCRIPTS])
def test_a_script_is_the_same_again_and_another_with_another_seed(name: str) -> None:
    first, again, other = (SCRIPTS[name](seed, 1) for seed in (3, 3, 4))
    assert first.duration_s == again.duration_s
    assert first.truth(2.0) == again.truth(2.0) != other.truth(2.0)
    assert (first.frame(2.0) == again.frame(2.0)).all()
    assert (first.frame(2.0) != other.frame(2.0)).any()
    assert first.frame(2.0).shape == (480, 640, 3)


@pytest.mark.parametrize("name", [*SCRIPTS])
def test_a_script_begins_and_ends_with_an_empty_room(name: str) -> None:
    for seed in range(8):
        played = SCRIPTS[name](seed, seed)
        assert 3 <= played.duration_s <= 10
        assert not played.truth(0)
        assert not played.truth(played.duration_s)
        assert played.truth(played.duration_s / 2)


def test_frames_differ_by_noise_only() -> None:
    played = Scene(2, [], 1.0, noise=3)
    first, second = played.frame(0.1).astype(int), played.frame(0.2)
    assert 1 < np.abs(first - second).mean() < 5


def test_the_box_of_the_truth_is_the_drawn_face() -> None:
    """The oval in the box is person; left and right of the upper half is only the room."""
    actor = Actor(Person(11), STANDING)
    for t_s in (0.5, 2.0, 3.5):
        pixels, (seen,) = scene(actor).frame(t_s), scene(actor).truth(t_s)
        assert seen.width == 150
        assert drawn(pixels)[oval(seen)].mean() > 0.98
        rows = slice(round(seen.y), round(seen.y + seen.height / 2))
        for beside in (seen.x - 0.25 * seen.width, seen.x + 1.25 * seen.width):
            assert not drawn(pixels)[rows, round(beside)].any()


def test_a_face_changes_where_the_mask_goes_and_nowhere_else() -> None:
    bare = scene(Actor(Person(11), STANDING))
    masked = scene(Actor(Person(11), STANDING, ((0, Worn.ON),)))
    (seen,) = masked.truth(1.0)
    assert seen.masked
    assert not bare.truth(1.0)[0].masked
    changed = np.abs(bare.frame(1.0).astype(int) - masked.frame(1.0)).max(axis=2) > 8
    assert changed[inside(seen, lower_half=True)].mean() > 0.6
    changed[inside(seen)] = False
    assert changed.sum() < 0.05 * seen.width * seen.height


def test_a_mask_goes_on_and_off_over_the_chin() -> None:
    actor = Actor(Person(1), STANDING, ((0, Worn.OFF), *put_on(2), *taken_off(4)))
    times = (1.6, 1.75, 1.9, 2.0, 3.65, 3.75, 3.9, 4.0)
    seen = [scene(actor).truth(t_s)[0] for t_s in times]
    assert [one.worn for one in seen] == [
        Worn.OFF, Worn.CHIN, Worn.UNDER_NOSE, Worn.ON,
        Worn.ON, Worn.UNDER_NOSE, Worn.CHIN, Worn.OFF,
    ]  # fmt: skip
    assert [one.plain for one in seen] == [not one.changing for one in seen]
    pictures = [scene(actor).frame(t_s).astype(int) for t_s in times]
    assert all(np.abs(a - b).max() > 50 for a, b in pairwise(pictures[:4]))


def test_a_hand_hides_a_face_and_a_turned_face_is_not_plain() -> None:
    actor = Actor(
        Person(1), STANDING, hands=(Span(1, 2),), turns=(Span(3, 4, -1), Span(5, 5.5, 0.45))
    )
    hand, free, aside, half = (scene(actor).truth(t_s)[0] for t_s in (1.5, 2.5, 3.5, 5.2))
    assert hand.hidden
    assert free.plain
    assert not aside.hidden
    assert not aside.plain
    assert aside.turn == -1
    assert 0.35 < half.turn <= 0.5


def test_the_nearer_person_hides_the_one_behind() -> None:
    near = Actor(Person(1), STANDING)
    behind = Actor(Person(2), (Waypoint(0, 0.56, 100), Waypoint(6, 0.56, 100)))
    far, close = scene(near, behind).truth(1.0)
    assert (far.person, close.person) == (2, 1)
    assert far.visible < 0.6
    assert far.hidden
    assert close.visible == 1
    alone, both = scene(near).frame(1.0), scene(behind, near).frame(1.0)
    assert (alone[oval(close, 0.8)] == both[oval(close, 0.8)]).all()
    assert (alone != both).any()


def test_a_face_at_the_edge_of_the_frame_is_seen_in_part() -> None:
    actor = Actor(Person(1), (Waypoint(0, -0.4, 100), Waypoint(4, 0.5, 100), Waypoint(5, 0.5, 100)))
    shares = [sum(seen.visible for seen in scene(actor).truth(t / 5)) for t in range(21)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert any(0.2 < share < 0.8 for share in shares)


def test_light_dims_everything_and_a_person_alone() -> None:
    actor = Actor(Person(11), STANDING)
    bright, dim = scene(actor), scene(actor, lights=((0, 1.0), (2, 0.4)))
    assert (bright.frame(1.9) == dim.frame(1.9)).all()
    assert dim.frame(2.1).mean() == pytest.approx(0.4 * bright.frame(2.1).mean(), rel=0.02)
    dark = scene(Actor(Person(11), STANDING, light=0.5))
    face, (seen,) = inside(dark.truth(1.0)[0]), dark.truth(1.0)
    assert dark.frame(1.0)[face].mean() < 0.65 * bright.frame(1.0)[face].mean()
    assert (dark.frame(1.0)[:20, :20] == bright.frame(1.0)[:20, :20]).all()
    assert seen.plain


def test_tailgating_overlaps_and_ends_in_the_place_of_the_first() -> None:
    for seed in range(4):
        played = SCRIPTS["tailgating"](seed, seed)
        first, second = (actor.person.seed for actor in played.actors)
        times = np.arange(0, played.duration_s, 0.25)
        seen = [{one.person: one for one in played.truth(float(t))} for t in times]
        assert any({first, second} <= there.keys() for there in seen)
        assert any(there.keys() == {second} for there in seen)
        masked = {name: {t[name].masked for t in seen if name in t} for name in (first, second)}
        assert masked[first] != masked[second]


def test_random_visits_mix_the_scripts() -> None:
    visits = [random_visit(seed) for seed in range(20)]
    assert (visits[5].frame(1.5) == random_visit(5).frame(1.5)).all()
    truths = [[one for t in range(27) for one in visit.truth(t / 3)] for visit in visits]
    assert {len({one.person for one in truth}) for truth in truths} == {1, 2}
    assert any(one.hand == 1 for truth in truths for one in truth)
    assert any(abs(one.turn) == 1 for truth in truths for one in truth)
    assert any(one.changing for truth in truths for one in truth)


def test_everyday_goes_on_with_new_people_in_one_room() -> None:
    film = Everyday(3)
    people = [{seen.person for seen in film.truth(t / 2)} for t in range(240)]
    assert len(set.union(*people)) > 10
    assert any(not there for there in people[10:])
    assert any(len(there) == 2 for there in people)
    assert film.duration_s == float("inf")


def test_everyday_can_go_back_in_time() -> None:
    film, other = Everyday(3), Everyday(3)
    early = film.frame(3.0)
    film.frame(40.0)
    assert (film.frame(3.0) == early).all()
    assert (film.frame(40.0) == other.frame(40.0)).all()
