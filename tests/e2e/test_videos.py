"""Filmed people, if the clips are there: who is seen, what is decided, and when it changes."""

import os
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import pytest

from maskgate.gate.decide import Action
from maskgate.inference.model import Model
from maskgate.protocol.crop import Message
from producer.video.best_shots import BestShots
from producer.video.camera import Camera
from producer.video.detection import load
from producer.video.frame import FaceDetector, Frame
from tests.door import Door
from worker.settings import SHIPPED_MODEL

pytestmark = pytest.mark.usefixtures("installed_detector")
ROOT = Path(__file__).parent.parent.parent
VIDEOS = Path(os.environ.get("MASKGATE_VIDEOS", ROOT.parent / "shared" / "video"))
START_MS = 1_000_000
#: The notes were made by hand, to a tenth of a second; a decision follows within a second.
WITHIN_S = 1.0


@dataclass
class Seen:
    """A visit: where the face was first, and each decision with the second it was made."""

    x: float
    decisions: list[tuple[float, Action]] = field(default_factory=list)

    @property
    def made(self) -> list[tuple[float, Action]]:
        """The decisions without "manual", each when it was first made."""
        decided = [each for each in self.decisions if each[1] is not Action.MANUAL]
        return [next(same) for _, same in groupby(decided, key=lambda each: each[1])]


@pytest.fixture(params=["blazeface", "yunet"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    path = request.getfixturevalue("yunet_file") if request.param == "yunet" else None
    return load(request.param, path)


def _visits(name: str, detector: FaceDetector, fps: float) -> list[Seen]:
    """Everybody in a clip, from left to right as they came."""
    path = VIDEOS / name
    if not path.is_file():
        pytest.skip(f"no clip at {path}: set MASKGATE_VIDEOS to the folder of the clips")
    model, sent = Model.load(SHIPPED_MODEL), list[Message]()
    camera = Camera("door", detector, BestShots(5, min_face_px=40), model.card.input, sent.append)
    door, seen = Door(model), dict[str, Seen]()
    with av.open(str(path)) as container:
        due_s = 0.0
        for picture in container.decode(video=0):
            time_s = float(picture.time or 0)
            if time_s < due_s - 0.001:
                continue
            due_s += 1 / fps
            now_ms = START_MS + round(time_s * 1000)
            camera.process(Frame(np.asarray(picture.to_ndarray(format="rgb24"), np.uint8), now_ms))
            while sent:
                door.classify(sent.pop())
            door.decide(now_ms)
            for track in camera._tracker.tracks:
                if track.track_id in door.visits and track.seen_ms == now_ms:
                    visit = seen.setdefault(track.track_id, Seen(track.face.centre[0]))
                    visit.decisions.append((time_s, door.visits[track.track_id].action))
    return sorted(seen.values(), key=lambda visit: (visit.decisions[0][0] > 0.3, visit.x))


@pytest.mark.parametrize("fps", [5, 10])
def test_four_people_put_masks_on_and_one_takes_it_off(detector: FaceDetector, fps: float) -> None:
    people = _visits("1_four_people_put_masks_on.mp4", detector, fps)
    # Four people; the painting on the wall, which wears a mask too, is nobody.
    assert len(people) == 4, [(person.x, person.made) for person in people]
    bare, masked = Action.RECOGNISE, Action.REMOVE_MASK
    left, *others = [person.made for person in people]
    assert [action for _, action in left] == [bare, masked, bare, masked], left
    for (at_s, _), noted_s in zip(left, (0.0, 1.8, 5.4, 10.8), strict=True):
        assert abs(at_s - noted_s) <= WITHIN_S, left
    for made in others:
        assert [action for _, action in made] == [bare, masked], made
        assert made[0][0] <= WITHIN_S
        assert abs(made[1][0] - 2.2) <= WITHIN_S, made


@pytest.mark.parametrize("fps", [5, 10])
def test_two_bare_women_and_a_patterned_mask(detector: FaceDetector, fps: float) -> None:
    people = _visits("3_news_bare_then_patterned.mp4", detector, fps)
    # The broadcast cuts at 0.5 s. After a cut, a camera can't know who it sees.
    assert len(people) == 3, [(person.x, person.made) for person in people]
    left, right, masked = people
    for person in (left, right):
        assert [action for _, action in person.made] == [Action.RECOGNISE]
    assert [action for _, action in masked.made] == [Action.REMOVE_MASK]
    assert abs(masked.made[0][0] - 0.9) <= WITHIN_S


@pytest.mark.parametrize("fps", [5, 10])
def test_no_door_opens_for_a_mask_on_a_clip(detector: FaceDetector, fps: float) -> None:
    """By the notes: who was masked for a second is never recognised."""
    people = _visits("1_four_people_put_masks_on.mp4", detector, fps)
    by_notes = [[(2.8, 4.3), (11.8, 17.0)], [(3.2, 17.0)], [(3.2, 17.0)], [(3.2, 17.0)]]
    for person, spans in zip(people, by_notes, strict=True):
        wrong = [
            at_s
            for at_s, action in person.decisions
            if action is Action.RECOGNISE and any(a <= at_s <= b for a, b in spans)
        ]
        assert not wrong
