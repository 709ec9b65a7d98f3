import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from maskgate.runtime.backoff import Backoff
from producer.video.demuxer import Demuxer
from producer.video.errors import VideoError
from producer.video.live_source import LiveSource
from producer.video.opening import StreamOptions
from producer.video.source_address import SourceAddress, parse
from producer.video.stream import VideoStream
from tests.servers.certificates import Authority
from tests.servers.memory import resident_mib
from tests.servers.mjpeg_server import PASSWORD, USER, MjpegServer, mjpeg_server
from tests.servers.ports import eventually

QUICK = StreamOptions(open_timeout_s=1, read_timeout_s=0.5)


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    with mjpeg_server() as server:
        yield server


def shown(url: str, count: int, *, password: str = "", ca_file: Path | None = None) -> list[int]:
    """The widths of the first pictures."""
    address = parse(url, user=USER if password else "", password=password, ca_file=ca_file)
    with VideoStream(address, QUICK) as stream:
        pictures = stream.pictures()
        return [next(pictures).frame.width for _ in range(count)]


def refusal(url: str, *, password: str = "", ca_file: Path | None = None) -> str:
    with pytest.raises(VideoError) as refused:
        shown(url, 10**6, password=password, ca_file=ca_file)
    assert refused.value.__context__ is None
    assert "s3cr3t" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("path", ["pictures", "lengthless"])
def test_pictures_come(camera: MjpegServer, path: str) -> None:
    assert shown(camera.url(path), 20) == [320] * 20


@pytest.mark.parametrize("path", ["basic", "digest", "digest_sha256", "old_digest"])
def test_a_camera_with_a_password_shows_its_pictures(camera: MjpegServer, path: str) -> None:
    assert shown(camera.url(f"{path}?x=1,2"), 3, password=PASSWORD) == [320] * 3
    in_url = f"{USER}:{quote(PASSWORD, safe='')}@"
    assert shown(camera.url(path, in_url), 3) == [320] * 3


@pytest.mark.parametrize("path", ["basic", "digest", "digest_sha256", "old_digest"])
def test_a_wrong_password_is_named_and_sent_once(camera: MjpegServer, path: str) -> None:
    assert refusal(camera.url(path), password="s3cr3t!") == "wrong user or password"
    assert [bool(proof) for proof in camera.requests] == [False, True]
    assert refusal(camera.url(path)) == "the camera wants a user and a password"


def test_digest_never_sends_the_password(camera: MjpegServer) -> None:
    shown(camera.url("digest"), 1, password=PASSWORD)
    assert camera.requests[1].startswith("Digest ")
    assert "s3cr3t" not in camera.requests[1]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "the camera has no stream of this name (404)"),
        ("redirect", "the camera redirects elsewhere (302): give the final address"),
        ("snapshot", "not MJPEG: its content type is 'image/jpeg', not multipart/…"),
        ("stall", "no picture within 0.5 s"),
        ("drip", "no picture within 1 s"),
        ("dripping_headers", "no answer within 1 s"),
        ("garbage", "no picture within 1 s"),
        ("spoilt", "no picture could be decoded for 0.5 s"),
        ("unknown_auth", "the camera wants another authentication than Basic or Digest"),
    ],
)
def test_a_camera_that_behaves_badly_is_named(camera: MjpegServer, path: str, words: str) -> None:
    begun_s = time.monotonic()
    assert refusal(camera.url(path), password=PASSWORD) == words
    assert time.monotonic() - begun_s < 20


def test_half_a_picture_is_none(camera: MjpegServer) -> None:
    with VideoStream(parse(camera.url("cut")), QUICK) as stream:
        assert len(list(stream.pictures())) == 10
        assert stream.counts.damaged == 1


def test_a_picture_that_never_ends_takes_little_memory(camera: MjpegServer) -> None:
    before = resident_mib(peak=True)
    patient = StreamOptions(open_timeout_s=60, read_timeout_s=60)
    with pytest.raises(VideoError, match="a picture has more than 64 MiB"):
        VideoStream(parse(camera.url("endless")), patient)
    assert 1 << 20 < camera.endless_bytes < 128 << 20
    assert resident_mib(peak=True) - before < 300


def test_tls_is_verified(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    with mjpeg_server(authority.issue("localhost")) as camera:
        url = camera.url("basic", scheme="https")
        assert shown(url, 3, password=PASSWORD, ca_file=authority.ca) == [320] * 3
        for ca_file in (None, stranger.ca):
            assert "not trusted" in refusal(url, password=PASSWORD, ca_file=ca_file)
        other_name = url.replace("localhost", "127.0.0.1")
        assert "not trusted" in refusal(other_name, password=PASSWORD, ca_file=authority.ca)
        assert len(camera.requests) == 2
        assert "certificate" not in refusal(url.replace("https", "http"), password=PASSWORD)


def test_a_camera_that_stalls_is_connected_again(camera: MjpegServer) -> None:
    source = LiveSource(
        parse(camera.url("stall")), "lobby", options=QUICK, backoff=Backoff(0.05, 0.1)
    )
    try:
        eventually(lambda: source.counts.reconnects >= 2, 20)
        eventually(lambda: source.trouble == "no picture within 0.5 s", 20)
        assert source.newest(5) is not None
        assert not source.ended
    finally:
        source.close()


def test_a_lost_connection_is_freed_without_the_garbage_collector(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[weakref.ref[Demuxer]] = []

    class Noted(Demuxer):
        def __init__(self, address: SourceAddress, options: StreamOptions) -> None:
            opened.append(weakref.ref(self))
            super().__init__(address, options)

    monkeypatch.setattr("producer.video.stream.Demuxer", Noted)
    gc.disable()
    source = LiveSource(
        parse(camera.url("stall")), "lobby", options=QUICK, backoff=Backoff(0.05, 0.1)
    )
    try:
        eventually(lambda: source.counts.reconnects >= 2, 20)
        assert [reference() for reference in opened[:2]] == [None, None]
    finally:
        source.close()
        gc.enable()
