"""A camera by RTSP, from a real server: lost, stalled, back, other sizes, passwords, TLS."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from structlog.testing import capture_logs

from maskgate.runtime.backoff import Backoff
from maskgate.runtime.clock import now_ms
from producer.video import live_source
from producer.video.capture_clock import CaptureClock
from producer.video.errors import VideoError
from producer.video.frame import Frame
from producer.video.live_source import LiveSource
from producer.video.opening import StreamOptions
from producer.video.source_address import parse
from producer.video.stream import VideoStream
from tests.servers.certificates import Authority
from tests.servers.ports import eventually
from tests.servers.rtsp_server import RtspServer, rtsp_server

PASSWORD = "s3cr3t/:@ word%"
OPTIONS = StreamOptions(open_timeout_s=10, read_timeout_s=1)


@pytest.fixture
def camera() -> Iterator[RtspServer]:
    with rtsp_server() as server:
        yield server


@contextmanager
def watching(url: str, **options: Any) -> Iterator[LiveSource]:
    source = LiveSource(parse(url, **options), "lobby", options=OPTIONS, backoff=Backoff(0.1, 0.3))
    try:
        yield source
    finally:
        source.close()


def frame_of(source: LiveSource) -> Frame:
    frame = eventually(lambda: source.newest(1), 20, "a frame")
    assert frame is not None
    return frame


def shown(url: str, count: int = 3, **options: Any) -> list[tuple[int, int]]:
    """The sizes of the first pictures."""
    with VideoStream(parse(url, **options), OPTIONS) as stream:
        pictures = stream.pictures()
        frames = [next(pictures).frame for _ in range(count)]
        return [(frame.width, frame.height) for frame in frames]


def refusal(url: str, **options: Any) -> str:
    with pytest.raises(VideoError) as refused:
        shown(url, **options)
    assert refused.value.__context__ is None
    assert "s3cr3t" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come(codec: str, transport: str) -> None:
    with rtsp_server(codec=codec) as camera:
        assert shown(camera.url(), transport=transport) == [(320, 240)] * 3


def test_the_test_picture_has_its_colours(camera: RtspServer) -> None:
    with watching(camera.url()) as source:
        pixels = frame_of(source).pixels
    assert pixels.shape == (240, 320, 3)
    red = pixels[80, 5 * 320 // 7 + 20].astype(int)  # the sixth bar of the upper field
    assert red[0] > 150
    assert red[1:].max() < 60


def test_the_cameras_clock_tells_when_a_picture_was_captured(camera: RtspServer) -> None:
    capture = CaptureClock()
    with VideoStream(parse(camera.url()), OPTIONS, capture=capture) as stream:
        for picture in stream.pictures():
            age_ms = now_ms() - picture.captured_at_ms
            assert -1 <= age_ms < 1500
            if capture.is_cameras:
                break
    assert capture.difference_ms is not None
    assert 0 <= capture.difference_ms < 1500


def test_a_camera_that_was_killed_is_found_again_with_another_picture_size(
    camera: RtspServer,
) -> None:
    with capture_logs() as logs, watching(camera.url()) as source:
        assert frame_of(source).pixels.shape == (240, 320, 3)
        assert source.trouble == ""
        camera.kill()
        eventually(lambda: source.trouble, 10)
        eventually(lambda: "connection refused" in source.trouble, 10)
        while source.newest(0) is not None:  # the last one from before
            pass
        camera.start(width=640, height=480)
        assert frame_of(source).pixels.shape == (480, 640, 3)
        assert (source.trouble, source.counts.reconnects) == ("", 1)
    assert [entry["event"] for entry in logs] == [
        "camera.connected",
        "camera.lost",
        "camera.connected",
    ]


def test_a_camera_that_stalls_is_lost_in_time_and_found_again(camera: RtspServer) -> None:
    with watching(camera.url()) as source:
        frame_of(source)
        camera.stall()
        eventually(lambda: source.trouble, 5, "the stall to be noticed")
        # The second one if it stalls within a picture.
        assert source.trouble in (
            "no picture within 1 s",
            "no picture could be decoded for 1 s",
        )
        camera.go_on()
        eventually(lambda: source.trouble == "", 20)
        before_ms = now_ms()
        eventually(
            lambda: (frame := source.newest(1)) and frame.captured_at_ms > before_ms,
            20,
            "a new frame",
        )


def test_closing_does_not_wait_for_a_stalled_camera(camera: RtspServer) -> None:
    with watching(camera.url()) as source:
        frame_of(source)
        camera.stall()
        begun_s = time.monotonic()
        source.close()
        assert time.monotonic() - begun_s < 2.5


@pytest.mark.parametrize("digest", [True, False])
def test_a_password_opens_the_camera_and_a_wrong_one_is_named(*, digest: bool) -> None:
    with rtsp_server(user="viewer", password=PASSWORD, digest=digest) as camera:
        url = camera.url()
        assert shown(url, user="viewer", password=PASSWORD) == [(320, 240)] * 3
        assert shown(camera.url(f"viewer:{quote(PASSWORD, safe='')}@")) == [(320, 240)] * 3
        assert refusal(url, user="viewer", password="s3cr3t") == "wrong user or password"
        assert refusal(url, user="other", password=PASSWORD) == "wrong user or password"
        assert refusal(url) == "the camera wants a user and a password"


@pytest.mark.parametrize("digest", [True, False])
def test_the_longest_password_arrives_whole(*, digest: bool) -> None:
    longest = "p" * (126 - len("viewer:"))
    with rtsp_server(user="viewer", password=longest, digest=digest) as camera:
        assert shown(camera.url(), user="viewer", password=longest) == [(320, 240)] * 3


def test_a_wrong_password_is_not_tried_again_soon() -> None:
    with (
        rtsp_server(user="viewer", password=PASSWORD) as camera,
        capture_logs() as logs,
        watching(camera.url(), user="viewer", password="s3cr3t") as source,
    ):
        eventually(lambda: source.trouble == "wrong user or password", 10)
        camera.kill()
        assert source.newest(1.5) is None
        assert source.trouble == "wrong user or password"
    assert "s3cr3t" not in repr(logs)


def test_a_stream_that_the_camera_does_not_have_is_named(camera: RtspServer) -> None:
    url = camera.url().replace("/door", "/window")
    assert refusal(url) == "the camera has no stream of this name (404)"


def test_tls_is_verified(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue("localhost")
    both = tmp_path / "both.pem"
    both.write_bytes(files.cert.read_bytes() + files.key.read_bytes())
    stranger = Authority(tmp_path / "stranger")
    with rtsp_server(user="viewer", password=PASSWORD, certificate=str(both)) as camera:
        login: dict[str, Any] = {"user": "viewer", "password": PASSWORD}
        secure = camera.url(scheme="rtsps", host="localhost")
        assert shown(secure, ca_file=authority.ca, **login) == [(320, 240)] * 3
        for ca_file in (None, stranger.ca):
            assert "trusted" in refusal(secure, ca_file=ca_file, **login)
        other_name = camera.url(scheme="rtsps", host="127.0.0.1")
        assert "trusted" in refusal(other_name, ca_file=authority.ca, **login)
        assert refusal(camera.url(), **login)


def test_plain_rtsp_is_no_tls(camera: RtspServer) -> None:
    assert "TLS" in refusal(camera.url(scheme="rtsps", host="localhost"))


@pytest.fixture(autouse=True)
def _fresh_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """capture_logs swaps structlog's processors: loggers must not keep the old ones."""
    monkeypatch.setattr(live_source, "log", structlog.get_logger())
