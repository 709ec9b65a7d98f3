"""How a camera is: judged, told once, and sent through the queue."""

import numpy as np
import pytest

from maskgate.inference.image import Pixels
from maskgate.protocol.camera_state import CameraState, parse
from maskgate.protocol.crop import Message
from producer.video.conditions import CameraCondition
from producer.video.frame import Frame
from producer.video.metrics import CameraFigures
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions
from producer.video.state_report import INTERVAL_S, StateReport
from producer.video.watcher import PictureWatcher

NOW_MS = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic time, which the test moves."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def _room(seed: int, light: float = 1.0) -> Pixels:
    rng = np.random.default_rng(seed)
    pixels = np.kron(np.random.default_rng(0).integers(40, 220, (12, 16, 3)), np.ones((40, 40, 1)))
    return np.asarray(np.clip(pixels * light + rng.normal(0, 3, pixels.shape), 0, 255), np.uint8)


def test_each_condition_is_told_once_and_what_is_private_is_black(clock: list[float]) -> None:
    told: list[CameraCondition] = []

    def tick(condition: CameraCondition, since_s: float, detail: str) -> None:
        if not told or told[-1] is not condition:
            told.append(condition)

    regions = Regions(privacy=[((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))])
    watcher = PictureWatcher("lobby", regions, PictureHealth(), tick)
    for step in range(120):
        light = 0.02 if 40 <= step < 80 else 1.0
        frame = watcher.seen(Frame(_room(step, light), NOW_MS))
        assert not frame.pixels[:200, :300].any()
        watcher.tell()
        clock[0] += 0.2
    assert told == [CameraCondition.UP, CameraCondition.DARK, CameraCondition.UP]
    for _ in range(40):
        watcher.missed("no answer within 5 s")
        watcher.tell()
        clock[0] += 0.2
    assert told[-1] is CameraCondition.NO_SIGNAL


def test_a_camera_that_never_sent_a_frame_is_not_up(clock: list[float]) -> None:
    told: list[CameraCondition] = []
    watcher = PictureWatcher(
        "lobby", Regions(), PictureHealth(), lambda condition, *_: told.append(condition)
    )
    for _ in range(40):
        watcher.missed("not connected yet")
        watcher.tell()
        clock[0] += 0.2
    assert set(told) == {CameraCondition.NO_SIGNAL}


def _report(clock: list[float]) -> tuple[StateReport, list[Message]]:
    sent = list[Message]()
    figures = CameraFigures(up=True, state="up", fps=5, faces=7, held_back={"small": 2})
    return StateReport("lobby", lambda: figures, sent.append, clock=lambda: NOW_MS), sent


def _states(sent: list[Message]) -> list[CameraState]:
    return [parse(message, latest_ms=NOW_MS).state for message in sent]


def test_an_unchanged_state_is_sent_again_before_it_is_forgotten(clock: list[float]) -> None:
    report, sent = _report(clock)
    for _ in range(round(3 * INTERVAL_S / 0.25)):
        report.tick(CameraCondition.UP, 99.0, "")
        clock[0] += 0.25
    states = _states(sent)
    assert len(states) == 3
    assert states[0].since_ms == NOW_MS - 1000
    assert (states[0].faces, states[0].held_back) == (7, {"small": 2})


def test_a_change_is_sent_at_once_but_at_most_once_a_second(clock: list[float]) -> None:
    report, sent = _report(clock)
    for step in range(20):
        report.tick(CameraCondition.DARK if step % 2 else CameraCondition.UP, 99.0, "a\nb" * 200)
        clock[0] += 0.1
    states = _states(sent)
    assert len(states) == 2
    assert all(state.detail.isprintable() for state in states)
