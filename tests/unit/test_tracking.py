"""Tracks of faces: one person, one id, and never the id of somebody else."""

from hypothesis import given
from hypothesis import strategies as st

from producer.video.frame import Face
from producer.video.tracking import LOST_AFTER_MS, Tracker


def _face(x: float, y: float = 100, width: float = 60, score: float = 0.9) -> Face:
    return Face(x, y, width, width * 1.3, score)


def test_a_walking_person_keeps_one_id() -> None:
    tracker = Tracker()
    ids = {
        track.track_id
        for i in range(20)
        for track in tracker.update([_face(10 + 25 * i, width=40 + 3 * i)], i * 200)
    }
    assert len(ids) == 1


def test_two_people_who_pass_each_other_keep_their_ids() -> None:
    tracker = Tracker()
    seen: list[dict[float, str]] = []
    for i in range(21):
        # One is nearer to the camera than the other.
        faces = [_face(20 * i, width=50), _face(400 - 20 * i, y=130, width=90)]
        tracks = tracker.update(faces, i * 100)
        seen.append({track.face.width: track.track_id for track in tracks})
    assert seen[0] == seen[-1]
    assert len(set(seen[0].values())) == 2


def test_an_id_survives_a_short_occlusion() -> None:
    tracker = Tracker()
    (before,) = tracker.update([_face(100)], 0)
    assert tracker.update([], 300) == []
    (after,) = tracker.update([_face(104)], LOST_AFTER_MS - 100)
    assert before.track_id == after.track_id


def test_who_comes_after_a_track_ended_has_another_id() -> None:
    tracker = Tracker()
    (before,) = tracker.update([_face(100)], 0)
    (after,) = tracker.update([_face(100)], LOST_AFTER_MS + 1)
    assert before.track_id != after.track_id


def test_a_face_elsewhere_or_of_another_size_is_somebody_else() -> None:
    tracker = Tracker()
    (first,) = tracker.update([_face(100)], 0)
    (far,) = tracker.update([_face(300)], 100)
    (large,) = tracker.update([_face(60, y=60, width=140)], 200)
    assert len({first.track_id, far.track_id, large.track_id}) == 3


def _confirmed(tracker: Tracker, face: Face, at_ms: int) -> list[bool]:
    return [track.confirmed for track in tracker.update([face], at_ms)]


def test_a_sure_face_is_confirmed_when_it_is_found_again() -> None:
    tracker = Tracker()
    assert _confirmed(tracker, _face(100), 0) == [False]
    assert _confirmed(tracker, _face(101), 100) == [True]
    assert _confirmed(tracker, _face(400), 200) == [False]


def test_a_weak_face_is_confirmed_when_it_is_still_found_later() -> None:
    tracker = Tracker()
    found = [_confirmed(tracker, _face(100, score=0.6), at_ms) for at_ms in (0, 200, 300)]
    assert found == [[False], [False], [True]]


def test_a_doubtful_face_continues_a_track_but_begins_none() -> None:
    tracker = Tracker()
    assert tracker.update([_face(300, score=0.4)], 0) == []
    (before,) = tracker.update([_face(100)], 100)
    (after,) = tracker.update([_face(102, score=0.4)], 200)
    assert before.track_id == after.track_id


def test_another_picture_ends_all_tracks() -> None:
    tracker = Tracker()
    (before,) = tracker.update([_face(100)], 0)
    tracker.end_all()
    (after,) = tracker.update([_face(100)], 100)
    assert before.track_id != after.track_id


_FACES = st.builds(_face, st.floats(0, 640), st.floats(0, 480), st.floats(10, 300))


@given(st.lists(st.lists(_FACES, max_size=5), max_size=20))
def test_every_face_has_at_most_one_track_and_ids_do_not_come_back(
    frames: list[list[Face]],
) -> None:
    tracker, ended, alive = Tracker(), set[str](), set[str]()
    for i, faces in enumerate(frames):
        tracks = tracker.update(faces, i * 400)
        assert len({id(track.face) for track in tracks}) == len(tracks) <= len(faces)
        now = {track.track_id for track in tracker.tracks}
        assert not now & ended
        ended |= alive - now
        alive = now
