"""The cameras of a process work in turn, and each on the newest frame when its turn comes."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.protocol.crop import Message, parse
from maskgate.protocol.queue import QueueKind, Tally
from maskgate.runtime.stop import Stop
from producer.video import film as filming
from producer.video.best_shots import BestShots
from producer.video.camera import Camera
from producer.video.film import film
from producer.video.frame import Face, Frame
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions
from producer.video.turns import Turns
from producer.video.watcher import PictureWatcher
from tests.servers.ports import eventually

_PIXELS = np.full((48, 64, 3), 120, np.uint8)


def _waiting(turns: Turns) -> int:
    return len(turns._waiting)


def test_no_more_than_so_many_threads_work_at_once() -> None:
    turns, inside, most = Turns(2), list[int](), list[int]()

    def work(number: int) -> None:
        with turns:
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.002)  # others may come
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(30)))
    assert max(most) == 2


def test_who_waits_longest_is_next_even_if_others_come_again_at_once() -> None:
    turns, order = Turns(1), list[int]()

    def work(number: int) -> None:
        for _ in range(20):
            with turns:
                order.append(number)

    with ThreadPoolExecutor(3) as pool:
        with turns:
            done = []
            for number in range(3):
                done.append(pool.submit(work, number))
                eventually(lambda: _waiting(turns) == len(done), 10, "all wait")
        for each in done:
            each.result()
    assert order == [0, 1, 2] * 20


def test_a_turn_that_fails_is_handed_over() -> None:
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns:
        raise ZeroDivisionError
    with turns:
        pass


class _Source:
    """A camera that shows a frame every time it is asked; ``clock`` is the time of the newest."""

    trouble = ""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.ended = False

    def wait(self, timeout_s: float) -> bool:
        return True

    def newest(self, timeout_s: float) -> Frame:
        return Frame(_PIXELS, self._clock())

    def close(self) -> None: ...


class _Detector:
    def detect(self, pixels: Pixels) -> list[Face]:
        return [Face(10, 5, 40, 40, 0.9)]


class _Publisher:
    """Ends the film with the first crop; fails if it is called during a turn."""

    def __init__(self, source: _Source, turns: Turns) -> None:
        self.live = self.audit = self.states = Tally()
        self.sent: list[Message] = []
        self.in_turn = False
        self._source, self._turns = source, turns

    def publish(self, message: Message, queue: QueueKind = QueueKind.LIVE) -> None:
        self.in_turn |= not self._turns._free
        self.sent.append(message)
        self._source.ended = True

    def rest(self, duration_s: float) -> None: ...

    def flush(self, timeout_s: float) -> None: ...

    def close(self) -> None: ...


def test_a_camera_that_waited_for_its_turn_works_on_the_frame_that_is_newest_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns, now_ms = Turns(1), [1_000]
    monkeypatch.setattr(filming, "TURNS", turns)

    def clock() -> int:
        now_ms[0] += 300
        return now_ms[0]

    source = _Source(clock)
    publisher = _Publisher(source, turns)
    shape, shots = InputShape(64, 64, 3), BestShots(5, min_face_px=20)
    camera = Camera("lobby", _Detector(), shots, shape, publisher.publish)
    watcher = PictureWatcher("lobby", Regions(), PictureHealth())
    work = threading.Thread(
        target=film, args=(source, camera, publisher, watcher), kwargs={"stop": Stop()}
    )
    with turns:
        work.start()
        eventually(lambda: _waiting(turns) == 1, 10, "the camera waits")
        now_ms[0] = 60_000
    work.join(10)
    assert parse(publisher.sent[0], audit=False).captured_at_ms == 60_300
    assert not publisher.in_turn
