"""The memory of sources that play and reconnect for long."""

from pathlib import Path

import structlog
from structlog.testing import capture_logs

from maskgate.runtime.backoff import Backoff
from producer.video.errors import VideoError
from producer.video.live_source import LiveSource
from producer.video.rgb import RgbConverter
from producer.video.source_address import parse
from producer.video.stream import VideoStream
from tests.faults import camera_loop
from tests.servers.memory import resident_mib
from tests.servers.mjpeg_server import mjpeg_server
from tests.servers.ports import eventually
from tests.unit.encoded_videos import encode, stairs

#: A leaked picture of 320 × 240 has 0.1 MiB or more; 1,000 of them would be seen.
ALLOWED_MIB = 12


def played(path: Path, rounds: int) -> int:
    """Open, decode and convert a file again and again; returns the number of pictures."""
    count = 0
    for _ in range(rounds):
        converter = RgbConverter(1920)
        with VideoStream(parse(str(path))) as stream:
            count += sum(converter.pixels(picture.frame).size > 0 for picture in stream.pictures())
    return count


def test_playing_2000_pictures_does_not_need_more_memory(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(20, 320, 240))
    played(path, 20)
    before = resident_mib()
    assert played(path, 100) == 2000
    assert resident_mib() - before < ALLOWED_MIB


def test_a_source_that_can_not_be_opened_does_not_need_more_memory(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", stairs(20, 320, 240))
    path.write_bytes(path.read_bytes()[:-200])

    def refused(count: int) -> int:
        refusals = 0
        for _ in range(count):
            try:
                VideoStream(parse(str(path))).close()
            except VideoError:
                refusals += 1
        return refusals

    refused(50)
    before = resident_mib()
    assert refused(1000) == 1000
    assert resident_mib() - before < ALLOWED_MIB


def test_reconnecting_does_not_need_more_memory() -> None:
    with mjpeg_server() as camera, capture_logs():
        source = LiveSource(
            parse(camera.url("ten")), "lobby", backoff=Backoff(0.001, 0.001), max_fps=50
        )
        try:

            def reconnected(count: int) -> bool:
                source.newest(0.1)
                return source.counts.reconnects >= count

            eventually(lambda: reconnected(20), 60)
            before = resident_mib()
            eventually(lambda: reconnected(80), 90)
            assert resident_mib() - before < ALLOWED_MIB
            assert source.counts.decoded >= 600
        finally:
            source.close()


def test_the_loop_finds_its_camera_again() -> None:
    try:
        assert camera_loop.main(["--minutes", "0.15"]) == 0
    finally:
        structlog.reset_defaults()
