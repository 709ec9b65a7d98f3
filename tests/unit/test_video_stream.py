import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from maskgate.inference.image import Pixels
from maskgate.protocol.errors import ConfigurationError
from producer.video.errors import VideoError
from producer.video.opening import StreamOptions
from producer.video.rgb import RgbConverter, must_be_convertible
from producer.video.source_address import parse
from producer.video.stream import VideoStream
from tests.unit.encoded_videos import encode, plain, stairs

QUICK = StreamOptions(open_timeout_s=0.5, read_timeout_s=0.5)


def played(path: Path, max_side: int = 1920) -> list[Pixels]:
    converter = RgbConverter(max_side)
    with VideoStream(parse(str(path))) as stream:
        return [converter.pixels(picture.frame) for picture in stream.pictures()]


def refusal(text: str | Path) -> str:
    with (
        pytest.raises(VideoError) as refused,
        VideoStream(parse(str(text)), QUICK) as stream,
    ):
        list(stream.pictures())
    assert refused.value.__context__ is None
    return str(refused.value)


def test_a_videos_pictures_come_in_their_order(tmp_path: Path) -> None:
    pictures = played(encode(tmp_path / "door.mp4", stairs(12)))
    assert [round(float(p.mean()) / 10) for p in pictures] == list(range(12))
    assert {(p.shape, str(p.dtype)) for p in pictures} == {((48, 64, 3), "uint8")}


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times_ms = [0, 40, 60, 500, 510, 2000]
    path = encode(tmp_path / "door.mkv", stairs(6), times_ms=times_ms)
    with VideoStream(parse(str(path))) as stream:
        assert [p.time_s for p in stream.pictures()] == pytest.approx([t / 1000 for t in times_ms])


@pytest.mark.parametrize(
    ("pixel_format", "codec", "name"),
    [
        ("yuv420p", "ffv1", "a.mkv"),
        ("yuvj420p", "mjpeg", "a.avi"),
        ("yuv444p10le", "ffv1", "a.mkv"),
        ("yuva420p", "ffv1", "a.mkv"),
        ("gray", "ffv1", "a.mkv"),
        ("gray16le", "ffv1", "a.mkv"),
        ("gray16be", "png", "a.mov"),
        ("rgb48le", "ffv1", "a.mkv"),
        ("bgra", "rawvideo", "a.nut"),
        ("rgb24", "rawvideo", "a.avi"),
        ("yuyv422", "rawvideo", "a.nut"),
        ("nv12", "rawvideo", "a.nut"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_every_pixel_format_becomes_rgb(
    pixel_format: str, codec: str, name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    red = np.zeros((size[1], size[0], 3), np.uint8)
    red[:, : size[0] // 2] = 255
    pixels = played(encode(tmp_path / name, [red, red], codec=codec, pixel_format=pixel_format))[-1]
    assert pixels.shape == red.shape
    assert pixels.flags.c_contiguous
    assert pixels[5, 5].min() >= 251
    assert pixels[5, -5].max() <= 4


def test_a_picture_with_a_palette_becomes_rgb(tmp_path: Path) -> None:
    palette = np.zeros((256, 4), np.uint8)
    palette[7] = (255, 10, 20, 30)  # alpha, red, green, blue
    frame = av.VideoFrame.from_ndarray((np.full((5, 7), 7, np.uint8), palette), format="pal8")  # type: ignore[arg-type]
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=10, width=7, height=5)
        stream.pix_fmt = "pal8"
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoStream(parse(str(tmp_path / "a.mov"))) as opened:
        picture = next(opened.pictures())
        assert picture.frame.format.name == "pal8"
        assert (RgbConverter(1920).pixels(picture.frame) == (10, 20, 30)).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (3, 1), (2, 2)])
def test_a_picture_of_one_pixel_is_a_picture(width: int, height: int, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.nut", [plain(width, height)], codec="rawvideo")
    assert [p.shape for p in played(path)] == [(height, width, 3)]


def test_the_pixels_of_a_raw_video_may_be_overwritten(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.avi", stairs(3), codec="rawvideo", pixel_format="rgb24")
    converter = RgbConverter(1920)
    with VideoStream(parse(str(path))) as stream:
        for picture in stream.pictures():
            converter.pixels(picture.frame)[:] = 77
            assert not (converter.pixels(picture.frame) == 77).any()


@pytest.mark.parametrize("name", ["bgr4", "gray32le", "bayer_rggb8", "gbrpf32le"])
def test_a_format_that_can_not_be_converted_is_named(name: str) -> None:
    with pytest.raises(VideoError, match=f"pictures of the format {name} can't be converted"):
        must_be_convertible(av.VideoFrame(1, 1, name))
    must_be_convertible(av.VideoFrame(1, 1, "gray"))


def test_no_pixel_format_ends_the_process() -> None:
    """swscale calls abort() where its authors did not expect a format: this needs a process."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_FORMAT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) > 450


EVERY_FORMAT = """
import av
from av.video.format import names
from producer.video.rgb import RgbConverter
converted = 0
for name in sorted(names):
    for size in ((64, 48), (1, 1), (65, 3)):
        try:
            frame = av.VideoFrame(*size, name)
        except av.FFmpegError:  # the pixels of a graphics card, which FFmpeg downloads by itself
            continue
        print(name, *size, flush=True)
        for side in (1, 1920):
            try:
                converted += RgbConverter(side).pixels(frame).size > 0
            except (av.FFmpegError, ValueError):
                pass
print(converted)
"""


def test_an_8k_video_is_reduced(tmp_path: Path) -> None:
    half = plain(7680, 4320, 255)
    half[:, 3840:] = 0
    path = encode(tmp_path / "a.mkv", [half, half], options={"preset": "ultrafast"})
    pictures = played(path)
    assert [p.shape for p in pictures] == [(1080, 1920, 3)] * 2
    assert pictures[0][500, 100].min() >= 251
    assert pictures[0][500, -100].max() <= 4


def test_a_picture_beyond_8192_pixels_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [plain(8200, 16)], codec="ffv1", pixel_format="gray")
    assert refusal(path) == "pictures of 8200x16 pixels are too large: at most 8192x8192"


def test_the_picture_size_may_change_within_a_stream(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / f"{width}.ts", stairs(5, width, height))
        for width, height in ((64, 48), (128, 96), (34, 50))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    shapes = [p.shape[:2] for p in played(joined)]
    assert list(dict.fromkeys(shapes)) == [(48, 64), (96, 128), (50, 34)]


def test_a_phones_video_is_turned_upright(tmp_path: Path) -> None:
    left = plain(64, 48, 0)
    left[:, :32] = 255
    path = encode(tmp_path / "a.mp4", [left] * 3)
    body = bytearray(path.read_bytes())
    matrix = body.index(b"tkhd") + 44
    quarter = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]  # clockwise, as the camera was held
    body[matrix : matrix + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in quarter)
    path.write_bytes(body)
    upright = played(path)[0]
    assert upright.shape == (64, 48, 3)
    assert (upright[5, 20].min(), upright[-5, 20].max()) == (255, 0)


def test_a_video_cut_off_shows_what_is_there(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", stairs(20), options={"g": "5"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 2 <= len(played(path)) < 20


def test_damaged_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", stairs(20), options={"g": "10", "bf": "0"})
    copied(path, tmp_path / "damaged.ts", {15: b"\0\0\0\1\x65" + bytes(50)})
    with VideoStream(parse(str(tmp_path / "damaged.ts"))) as stream:
        assert len(list(stream.pictures())) == 19
        assert (stream.counts.received, stream.counts.damaged) == (20, 1)


def test_a_stream_that_begins_without_a_key_frame_starts_at_the_next(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", stairs(20), options={"g": "10", "bf": "0"})
    late = tmp_path / "late.ts"
    copied(path, late, {0: b""})
    brightness = [round(float(p.mean()) / 10) for p in played(late)]
    assert brightness == list(range(10, 20))


def test_a_stream_without_any_key_frame_has_no_picture(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.ts", stairs(9), options={"bf": "0"})
    copied(path, tmp_path / "none.ts", {0: b""})
    assert refusal(tmp_path / "none.ts") == "no picture could be decoded"


def copied(source: Path, target: Path, changed: dict[int, bytes]) -> None:
    """Copy a video with other bytes in some packets, or without them where there are no bytes."""
    with av.open(str(source)) as original, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0])
        packets = [packet for packet in original.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            body = changed.get(number, bytes(packet))
            if body:
                new = av.Packet(body)
                new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
                new.stream = stream
                copy.mux(new)


def test_sound_without_pictures_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    assert refusal(tmp_path / "a.mka") == "holds no video stream"


def not_videos(folder: Path) -> Iterator[tuple[str, str]]:
    (folder / "zero.mp4").touch()
    (folder / "text.mp4").write_text("to whom it may concern " * 500)
    (folder / "noise.mp4").write_bytes(os.urandom(100_000))
    whole = encode(folder / "whole.mp4", stairs(20)).read_bytes()
    (folder / "headless.mp4").write_bytes(whole[: whole.index(b"moov")])
    os.mkfifo(folder / "pipe.mp4")
    (folder / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n"
    )
    (folder / "list.txt").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    (folder / "session.sdp").write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
    damaged = "not a video, or a damaged one"
    yield "missing.mp4", "no such file or device"
    yield "zero.mp4", "the file is empty"
    yield "pipe.mp4", "is not a regular file"
    yield ".", "is a folder, not a file"
    yield "text.mp4", damaged
    yield "noise.mp4", damaged
    yield "headless.mp4", damaged
    yield "list.m3u8", damaged
    yield "list.txt", damaged
    yield "session.sdp", damaged


def test_what_is_no_video_is_refused_in_plain_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, words in not_videos(tmp_path):
        assert (name, refusal(tmp_path / name)) == (name, words)
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal("/dev/video987") == "no such file or device"


def test_a_port_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        port = black_hole.getsockname()[1]
        begun = time.monotonic()
        for scheme in ("rtsp", "rtsps", "http", "https"):
            assert refusal(f"{scheme}://u:s3cr3t@127.0.0.1:{port}/s") == "no answer within 0.5 s"
        assert time.monotonic() - begun < 30


def test_a_port_where_nothing_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for scheme in ("rtsp", "rtsps", "http", "https"):
        words = refusal(f"{scheme}://u:s3cr3t@127.0.0.1:{port}/s")
        assert words == "connection refused: nothing listens on this port"


def test_a_host_that_does_not_exist_is_named() -> None:
    assert "host" in refusal("rtsp://u:s3cr3t@camera.invalid/s")
    assert refusal("http://u:s3cr3t@camera.invalid/s") == "no such host"


def test_an_unknown_hardware_decoder_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'abacus'; it has: "):
        StreamOptions(hwaccel="abacus")


def test_without_the_hardware_it_decodes_in_software_and_says_why(tmp_path: Path) -> None:
    path = encode(tmp_path / "door.mp4", stairs(5))
    for name in av.codec.hwaccel.hwdevices_available():
        with VideoStream(parse(str(path)), StreamOptions(hwaccel=name)) as stream:
            assert len(list(stream.pictures())) == 5
            assert not stream.software_because or name in stream.software_because
