"""``python -m tests.benchmarks.simulated_door``: drawn people at a door, and what the door decides.

Each visit is a drawn film with its truth: one or two people, tailgating, masks put on and taken
off, a hand over the mouth, a turned head, bad light; a fifth of the frames is lost. Every frame
goes through the camera's own code with a real detector, each crop through the shipped model, and
what the crops say through the rules of the gate. Only broker and Redis are left out, so that an
hour of visits takes minutes.
"""

import argparse
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from maskgate.gate.decide import Action
from maskgate.inference.model import Model
from maskgate.protocol.crop import Message
from producer.scenes.scene import Film, Seen
from producer.scenes.scripts import random_visit
from producer.video.best_shots import BestShots
from producer.video.camera import Camera
from producer.video.detection import load
from producer.video.frame import FaceDetector, Frame
from tests.door import Door
from worker.settings import SHIPPED_MODEL

FPS, LOST, START_MS = 10, 0.2, 1_000_000
#: After a mask is put on, the door may take so long to see it.
GRACE_MS = 1000


@dataclass(slots=True)
class Person:
    """What a drawn person was and what the door decided about them, by time in milliseconds."""

    states: list[tuple[int, Seen]] = field(default_factory=list)
    decisions: list[tuple[int, Action]] = field(default_factory=list)
    first_face_ms: int | None = None

    def decided_ms(self) -> int | None:
        """How long the first right decision took from the first face."""
        for at_ms, action in self.decisions:
            seen = self._seen(at_ms)
            if seen is not None and self.first_face_ms is not None and _is_right(action, seen):
                return at_ms - self.first_face_ms
        return None

    def wrong_opens(self) -> list[int]:
        """When the door stood open though the mask had been on for longer than the grace."""
        since_ms: int | None = None
        masked: dict[int, int] = {}
        for at_ms, seen in self.states:
            since_ms = (at_ms if since_ms is None else since_ms) if seen.masked else None
            if since_ms is not None:
                masked[at_ms] = at_ms - since_ms
        return [
            at_ms
            for at_ms, action in self.decisions
            if action is Action.RECOGNISE and masked.get(at_ms, 0) >= GRACE_MS
        ]

    def _seen(self, at_ms: int) -> Seen | None:
        return next((seen for t_ms, seen in self.states if t_ms == at_ms), None)


def _is_right(action: Action, seen: Seen) -> bool:
    if seen.changing:
        return action is not Action.MANUAL
    return action is (Action.REMOVE_MASK if seen.masked else Action.RECOGNISE)


def play(film: Film, detector: FaceDetector, model: Model, seed: int) -> dict[int, Person]:
    """Everybody in a film, with what the door decided about them."""
    sent = list[Message]()
    camera = Camera("door", detector, BestShots(5, min_face_px=40), model.card.input, sent.append)
    door, people, owners = Door(model), dict[int, Person](), dict[str, int]()
    for at_ms, t_s in _frames(film, seed):
        camera.process(Frame(film.frame(t_s), at_ms))
        while sent:
            door.classify(sent.pop())
        door.decide(at_ms)
        truth = film.truth(t_s)
        for seen in truth:
            people.setdefault(seen.person, Person()).states.append((at_ms, seen))
        for track in camera._tracker.tracks:
            if track.seen_ms == at_ms and (owner := _nearest(track.face.centre, truth)):
                owners[track.track_id] = owner
                person = people[owner]
                if person.first_face_ms is None and track.face.width >= camera.shots.min_face_px:
                    person.first_face_ms = at_ms
        for track_id, visit in door.visits.items():
            if track_id in owners:
                people[owners[track_id]].decisions.append((at_ms, visit.action))
    return people


def _frames(film: Film, seed: int) -> Iterator[tuple[int, float]]:
    """Time in milliseconds and in the film of the frames that arrive."""
    lost = random.Random(seed)
    for number in range(int(film.duration_s * FPS)):
        if lost.random() >= LOST:
            yield START_MS + number * 1000 // FPS, number / FPS


def _nearest(centre: tuple[float, float], truth: list[Seen]) -> int | None:
    """The person whose face a point lies on; of several, the nearest to its middle."""
    inside = [
        (abs(seen.x + seen.width / 2 - centre[0]) + abs(seen.y + seen.height / 2 - centre[1]), seen)
        for seen in truth
        if seen.x <= centre[0] <= seen.x + seen.width
        and seen.y <= centre[1] <= seen.y + seen.height
    ]
    return min(inside, key=lambda entry: entry[0])[1].person if inside else None


def report(visits: Iterable[Person]) -> dict[str, float]:
    """The figures over all visits of people whose face the camera could see."""
    people = [person for person in visits if person.first_face_ms is not None]
    decided = [ms for person in people if (ms := person.decided_ms()) is not None]
    return {
        "visits": len(people),
        "wrong_opens": sum(bool(person.wrong_opens()) for person in people),
        "manual_share": round(1 - len(decided) / len(people), 4),
        "decision_ms_p50": float(np.percentile(decided, 50)),
        "decision_ms_p90": float(np.percentile(decided, 90)),
    }


def main(argv: list[str]) -> int:
    """The command line; returns an exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--films", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detector", choices=("blazeface", "yunet"), default="blazeface")
    parser.add_argument("--detector-model", type=Path)
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    model = Model.load(SHIPPED_MODEL)
    detector = load(arguments.detector, arguments.detector_model)
    people: list[Person] = []
    for seed in range(arguments.seed, arguments.seed + arguments.films):
        for number, person in play(random_visit(seed), detector, model, seed).items():
            people.append(person)
            if wrong := person.wrong_opens():
                print(f"film {seed} person {number}: wrong open at {wrong[0] - START_MS} ms")
            elif person.first_face_ms is not None and person.decided_ms() is None:
                print(f"film {seed} person {number}: manual")
    for name, value in report(people).items():
        print(f"{name} {value:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
