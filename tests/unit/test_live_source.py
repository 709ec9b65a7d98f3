import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest
import structlog
from structlog.testing import capture_logs

from maskgate.inference.image import Pixels
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.clock import now_ms
from producer.video import live_source
from producer.video.frame import Frame, FrameSource
from producer.video.live_source import LiveSource
from producer.video.opening import StreamOptions
from producer.video.rgb import RgbConverter
from producer.video.source_address import parse
from tests.servers.ports import eventually
from tests.unit.encoded_videos import encode, stairs

QUICK = StreamOptions(open_timeout_s=0.3, read_timeout_s=0.3)


@contextmanager
def playing(text: str | Path, **options: Any) -> Iterator[LiveSource]:
    source = LiveSource(parse(str(text)), "lobby", **options)
    try:
        yield source
    finally:
        source.close()


def watched(source: FrameSource) -> list[Frame]:
    """Every frame until the end."""
    frames = []
    while not source.ended:
        if frame := source.newest(0.5):
            frames.append(frame)
    return frames


def brightness(frame: Frame) -> int:
    return round(float(frame.pixels.mean()) / 10)


def test_a_file_is_played_to_its_end_at_its_own_speed(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(10), fps=10)
    begun_ms = now_ms()
    with playing(path) as source:
        frames = watched(source)
        assert source.trouble == ""
        assert source.newest(0) is None
    times = [frame.captured_at_ms - begun_ms for frame in frames]
    assert [brightness(frame) for frame in frames] == list(range(10))
    assert times[-1] - times[0] >= 850
    assert times == sorted(times)


def test_who_is_slow_gets_the_newest_frame_and_never_one_twice(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(20), fps=20)
    with playing(path) as source:
        eventually(lambda: source.counts.decoded >= 10)
        first = source.newest(1)
        assert first is not None
        assert brightness(first) >= 8
        seen = [brightness(frame) for frame in [first, *watched(source)]]
    assert seen == sorted(set(seen))
    assert seen[-1] == 19


def test_only_frames_that_are_taken_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    original = RgbConverter.pixels

    def counted(converter: RgbConverter, frame: av.VideoFrame) -> Pixels:
        converted.append(frame.pts)
        return original(converter, frame)

    monkeypatch.setattr(RgbConverter, "pixels", counted)
    with playing(encode(tmp_path / "a.mp4", stairs(20), fps=40)) as source:
        eventually(lambda: source.counts.decoded == 20)
        assert len(converted) == 1  # the first picture, as a trial
        assert source.newest(1) is not None
        assert len(converted) == 2


def test_no_more_frames_a_second_than_wanted(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(20) * 2, fps=40)
    with playing(path, max_fps=10) as source:
        frames = watched(source)
    assert 6 <= len(frames) <= 12


def test_a_file_is_repeated_if_wanted(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(5), fps=50)
    with playing(path, loop=True) as source, capture_logs():
        eventually(lambda: source.counts.decoded > 30)
        assert not source.ended
        assert source.newest(1) is not None


def test_a_file_of_one_picture_is_not_repeated_without_a_pause(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(1), fps=10)
    with playing(path, loop=True) as source:
        assert source.newest(5) is not None
        before, begun_s = source.counts.decoded, time.monotonic()
        eventually(lambda: source.counts.decoded >= before + 5)
        assert time.monotonic() - begun_s >= 0.3


@pytest.mark.parametrize("loop", [False, True])
def test_a_file_that_is_no_video_ends_at_once_and_says_why(tmp_path: Path, *, loop: bool) -> None:
    (tmp_path / "a.mp4").write_text("nothing to see" * 100)
    with capture_logs() as logs, playing(tmp_path / "a.mp4", loop=loop) as source:
        assert watched(source) == []
        assert source.trouble == "not a video, or a damaged one"
    assert [entry["event"] for entry in logs] == ["camera.lost"]


def test_a_connection_is_logged_with_the_camera_and_what_it_sends(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(3))
    with capture_logs() as logs, playing(path) as source:
        watched(source)
    connected, ended = logs
    assert connected == {
        "event": "camera.connected",
        "log_level": "info",
        "camera": "lobby",
        "source": str(path),
        "codec": "h264",
        "width": 64,
        "height": 48,
    }
    assert (ended["event"], ended["pictures"]) == ("camera.ended", 3)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https"])
def test_a_black_hole_is_tried_again_for_ever_but_told_once(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole, capture_logs() as logs:
        url = f"{scheme}://u:s3cr3t@127.0.0.1:{hole.getsockname()[1]}/s"
        with playing(url, options=QUICK, backoff=Backoff(0.01, 0.02)) as source:
            for _ in range(3):
                accepted, _ = hole.accept()
                accepted.close()
            eventually(lambda: source.trouble != "not connected yet")
            assert not source.ended
            assert "s3cr3t" not in source.trouble
    assert [entry["event"] for entry in logs] == ["camera.lost"]
    assert "s3cr3t" not in repr(logs)


def test_closing_does_not_wait_for_a_camera_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"rtsp://127.0.0.1:{hole.getsockname()[1]}/s"
        source = LiveSource(parse(url), "lobby", options=StreamOptions(open_timeout_s=6))
        with hole.accept()[0]:
            begun_s = time.monotonic()
            source.close()
            assert source.newest(5) is None
            assert time.monotonic() - begun_s < 3


def test_closing_wakes_up_who_waits_for_a_frame() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        source = LiveSource(parse(f"rtsp://127.0.0.1:{hole.getsockname()[1]}/s"), "lobby")
        got: list[Frame | None] = []
        waiting = threading.Thread(target=lambda: got.append(source.newest(60)))
        waiting.start()
        source.close()
        waiting.join(5)
        assert got == [None]


def test_an_error_nobody_thought_of_is_a_trouble_and_not_a_dead_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "rtsp://u:s3cr3t@h"
        raise KeyError(msg)

    monkeypatch.setattr(live_source, "VideoStream", fail)
    with playing("rtsp://h/s", backoff=Backoff(0.01, 0.02)) as source:
        eventually(lambda: "unexpected KeyError in test_live_source.py:" in source.trouble)
        assert "s3cr3t" not in source.trouble


def test_a_missing_hardware_decoder_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.video.stream.hardware_trouble", lambda name: f"no {name} here")
    monkeypatch.setattr("producer.video.opening.hardware_trouble", lambda name: f"no {name} here")
    options = StreamOptions(hwaccel="cuda")
    path = encode(tmp_path / "a.mp4", stairs(3), fps=50)
    with capture_logs() as logs, playing(path, options=options, loop=True) as source:
        eventually(lambda: source.counts.decoded > 10)
    told = [entry["reason"] for entry in logs if entry["event"] == "camera.software_decoding"]
    assert told == ["no cuda here"]


@pytest.fixture(autouse=True)
def _fresh_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """capture_logs swaps structlog's processors: loggers must not keep the old ones."""
    monkeypatch.setattr(live_source, "log", structlog.get_logger())
