"""Crops whose outcome is known in advance, and a sender that uses the producer's own outlet."""

import itertools
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskgate.inference.image import JPEG, Pixels, decode, encode_pnm
from maskgate.inference.limits import crop_limits
from maskgate.inference.model import Model
from maskgate.inference.preprocess import reduce
from maskgate.protocol.crop import Crop, Label, Message, new_crop_id, to_message
from maskgate.protocol.evidence import MIN_EVIDENCE, evidence
from maskgate.protocol.queue import QueueKind, Refusal
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.drawing import draw_face
from producer.rabbit import RabbitPublisher
from tests.faults.ledger import Ledger, Sent
from worker.settings import SHIPPED_MODEL

CAMERAS = ("lobby", "yard", "garage", "vault")
#: How many people stand in front of a camera, and in how many pictures each is seen.
_PEOPLE, _SHORTEST_VISIT, _LONGEST_VISIT = 2, 10, 40
_AUDIT_EVERY, _BROKEN_EVERY = 25, 101
#: Only images that decide at once are used: then a door without a decision is the site's fault. A
#: little more, because the batch size changes p_mask slightly.
_SURE = MIN_EVIDENCE + 0.05


@dataclass(frozen=True, slots=True)
class Body:
    """An encoded image and the outcome that the model gives it; None if it cannot be decoded."""

    content: bytes
    content_type: str
    outcome: Outcome | None


def bodies(count: int, seed: int = 5, models: Sequence[Model] = ()) -> list[Body]:
    """Drawn faces, as thumbnails and as JPEG, that models classify clearly and alike.

    By default the shipped model; cameras send thumbnails of the first one's size.
    """
    served, rng = list(models) or [Model.load(SHIPPED_MODEL)], np.random.default_rng(seed)
    shape = served[0].card.input
    found: list[Body] = []
    for face in (draw_face(rng, masked=bool(i % 2)).pixels for i in itertools.count()):
        if len(found) >= count:
            break
        jpeg = cv2.imencode(".jpg", face[:, :, ::-1])[1].tobytes()
        for content, content_type in ((jpeg, JPEG), encode_pnm(reduce(face, shape))):
            pixels = decode(content, content_type, crop_limits(shape))
            outcomes = {_clear_outcome(pixels, model) for model in served}
            if len(outcomes) == 1 and (outcome := outcomes.pop()) is not None:
                found.append(Body(content, content_type, outcome))
    return found


def _clear_outcome(pixels: Pixels, model: Model) -> Outcome | None:
    """None if a door would not decide by one such crop."""
    (p_mask,) = model.p_mask([reduce(pixels, model.card.input)]).tolist()
    outcome = Outcome(model.card.outcome(p_mask))
    is_clear = outcome is not Outcome.UNCERTAIN and abs(evidence([(0, p_mask)])) > _SURE
    return outcome if is_clear else None


@dataclass(slots=True)
class Person:
    """Somebody in front of a camera: the track, what the model says of the face, pictures left."""

    track: str
    outcome: Outcome
    pictures: int


BROKEN = [
    Body(b"", JPEG, None),
    Body(b"no picture", JPEG, None),
    Body(b"\xff\xd8\xff\xe0" + bytes(40), JPEG, None),
]


class Sender:
    """Sends crops for all cameras in turn and records each crop and its confirm in the ledger."""

    def __init__(
        self, url: str, ledger: Ledger, *, rate: float, seed: int, models: Sequence[Model] = ()
    ) -> None:
        self.rate = rate  # crops/s; may be changed at any time
        self.paused = False
        self.outlet = RabbitPublisher(
            parameters(url, None, name="faults"), stop=(stop := Stop()), settled=self._settled
        )
        self._stop, self._ledger, self._random = stop, ledger, random.Random(seed)
        found = bodies(64, models=models)
        self._bodies = {
            outcome: [body for body in found if body.outcome is outcome]
            for outcome in (Outcome.MASK, Outcome.NO_MASK)
        }
        self._people: dict[str, list[Person]] = {camera: [] for camera in CAMERAS}
        self._thread = threading.Thread(target=self._run, name="sender")
        self._finish = False

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def tracks(self, camera: str) -> list[str]:
        """Who is in front of a camera now."""
        return [person.track for person in self._people[camera]]

    def finish(self) -> None:
        """Stop sending, and wait up to 90 s for the outstanding confirms."""
        self._finish = True
        self._thread.join(90)

    def _run(self) -> None:
        sent, due_s = 0, time.monotonic()
        while not self._finish:
            # After a pause, catch up on half a second at most instead of sending a burst.
            due_s = max(due_s + _PEOPLE / self.rate, time.monotonic() - 0.5)
            while self.paused and not self._finish:
                self.outlet.rest(0.05)
            self.outlet.rest(max(0.0, due_s - time.monotonic()))
            camera, at_ms = CAMERAS[sent // _PEOPLE % len(CAMERAS)], now_ms()
            for person in self._picture(camera):
                self._offer(
                    camera,
                    person,
                    at_ms,
                    audit=sent % _AUDIT_EVERY == 0,
                    broken=sent % _BROKEN_EVERY == 0,
                )
                sent += 1
        self.outlet.flush(60)
        self.outlet.close()

    def _picture(self, camera: str) -> list[Person]:
        """Who is in a camera's next picture: people come and go, each with or without a mask."""
        people = [person for person in self._people[camera] if person.pictures > 0]
        while len(people) < _PEOPLE:
            outcome = self._random.choice([Outcome.MASK, Outcome.NO_MASK])
            visit = self._random.randint(_SHORTEST_VISIT, _LONGEST_VISIT)
            people.append(Person(new_crop_id(), outcome, visit))
        for person in people:
            person.pictures -= 1
        self._people[camera] = people
        return people

    def _offer(self, camera: str, person: Person, at_ms: int, *, audit: bool, broken: bool) -> None:
        body = self._random.choice(BROKEN if broken else self._bodies[person.outcome])
        label = Label.MASK if audit else None
        crop = Crop(
            new_crop_id(), camera, person.track, at_ms, body.content_type, body.content, label=label
        )
        self._ledger.offer(crop.crop_id, Sent(camera, person.track, at_ms, body.outcome, audit))
        tally = self.outlet.audit if audit else self.outlet.live
        unsent = tally.refusals[Refusal.NO_BROKER]
        self.outlet.publish(to_message(crop), QueueKind.AUDIT if audit else QueueKind.LIVE)
        if tally.refusals[Refusal.NO_BROKER] > unsent:
            self._ledger.settled(crop.crop_id, Refusal.NO_BROKER)

    def _settled(self, message: Message, refusal: Refusal | None) -> None:
        self._ledger.settled(str(message.message_id), refusal)
