import pickle
from pathlib import Path

import pytest

from maskgate.protocol.errors import ConfigurationError
from producer.video.source_address import SourceAddress, SourceKind, parse

SECRET = "s3cr3t/:@ word"
QUOTED = "s3cr3t%2F%3A%40%20word"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("clips/door.mp4", SourceKind.FILE),
        ("/srv/door 1.mkv", SourceKind.FILE),
        ("C3/door,2.avi", SourceKind.FILE),
        ("rtsp://10.0.0.5/stream1", SourceKind.RTSP),
        ("RTSP://Camera.Bank:8554/Stream1", SourceKind.RTSP),
        ("rtsps://[fd00::5]:322/a?channel=1&subtype=0", SourceKind.RTSP),
        ("http://10.0.0.5/video.mjpg", SourceKind.HTTP),
        ("https://camera/axis-cgi/mjpg/video.cgi?resolution=640x480", SourceKind.HTTP),
        ("/dev/video0", SourceKind.DEVICE),
        ("/dev/v4l/by-id/usb-046d_C920-video-index0", SourceKind.DEVICE),
    ],
)
def test_each_kind_of_source_is_recognised(text: str, kind: SourceKind) -> None:
    address = parse(text)
    assert address.kind is kind
    assert not address.has_password
    assert address.is_live is (kind is not SourceKind.FILE)


def test_a_file_reaches_ffmpeg_as_an_absolute_path_of_the_file_protocol(tmp_path: Path) -> None:
    assert parse("a.mp4").target == f"file:{Path.cwd()}/a.mp4"
    assert parse(str(tmp_path / "x%03d.mp4")).target == f"file:{tmp_path}/x%03d.mp4"


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("rtsp://h/s", f"rtsp://u:{QUOTED}@h/s", "rtsp://h/s"),
        ("rtsp://h:554", f"rtsp://u:{QUOTED}@h:554", "rtsp://h:554"),
        ("rtsps://[::1]:322/s?x=1", f"rtsps://u:{QUOTED}@[::1]:322/s?x=1", "rtsps://[::1]:322/s?…"),
    ],
)
def test_credentials_go_to_the_camera_and_are_never_shown(
    text: str, target: str, shown: str
) -> None:
    address = parse(text, user="u", password=SECRET)
    assert (address.target, address.shown, str(address)) == (target, shown, shown)
    assert "s3cr3t" not in f"{address!r}{address}{vars_of(address)}"


def vars_of(address: SourceAddress) -> str:
    """What a log of all public fields would print."""
    return repr({name: getattr(address, name) for name in ("kind", "shown", "transport")})


def test_credentials_in_the_url_are_accepted_and_known_to_be_there() -> None:
    address = parse(f"rtsp://admin:{QUOTED}@h:8554/s")
    assert address.has_password
    assert address.target == f"rtsp://admin:{QUOTED}@h:8554/s"
    assert address.shown == "rtsp://h:8554/s"
    assert (address.user, address.password) == ("admin", SECRET)


def test_credentials_of_http_are_kept_out_of_the_url() -> None:
    address = parse(f"https://admin:{QUOTED}@h/video.mjpg")
    assert address.target == "https://h/video.mjpg"
    assert (address.user, address.password) == ("admin", SECRET)


def test_a_password_beside_the_url_takes_the_user_of_the_url() -> None:
    assert parse("rtsp://admin@h/s", password="p").target == "rtsp://admin:p@h/s"
    assert not parse("rtsp://admin@h/s").has_password


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://h/s?user=admin&password=s3cr3t",
        "rtsp://h/user=admin_password=s3cr3t_channel=1_stream=0.sdp",
        "http://h/video?usr=admin&pwd=s3cr3t",
        "http://h/video?auth=YWRtaW46czNjcjN0&loginpas=s3cr3t",
        "http://h/stream?access_token=s3cr3t",
    ],
)
def test_a_password_in_the_path_or_its_options_counts_and_is_not_shown(text: str) -> None:
    address = parse(text)
    assert address.has_password
    assert "s3cr3t" not in address.shown
    assert "YWRtaW4" not in address.shown


REFUSED = {
    "": "empty",
    "concat:a.mp4|b.mp4": "concat:",
    "data:video/mp4;base64,AAAA": "data:",
    "file:/etc/passwd": "file:",
    "pipe:0": "pipe:",
    "crypto+file:x": "crypto+file:",
    "rtmp://h/live": "rtmp:",
    "udp://239.0.0.1:1234": "udp:",
    "hls+http://h/x.m3u8": "hls+http:",
    "srt://h:9000": "srt:",
    "rtsp:/h/s": "rtsp://",
    "rtsp://": "host",
    "rtsp:///s": "host",
    "rtsp://h:99999/s": "port",
    "rtsp://h:0/s": "port",
    "rtsp://h:s3cr3t/x@host/s": "port",
    "rtsp://u:s3cr3t#x@h/s": "%23",
    "rtsp://u:12/s3cr3t@h/s": "%40",
    "rtsp://u:s3cr3t\\@h/s": "character",
    "rtsp://h/s\r\nTEARDOWN rtsp://s3cr3t": "character",
    "rtsp://h/s s3cr3t": "character",
    "rtsp://hé/s": "character",
    "a\0b.mp4": "character",
    "rtsp://h/s?udp": "transport",
    "rtsp://h/s?x=1&multicast": "transport",
    "rtsp://h/s?TCP": "transport",
    "rtsp://[::1/s": "URL",
    "/dev/video0/../mem": "device",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_source_is_refused_by_name_and_tells_no_password(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^source: ") as refused:
        parse(text)
    assert REFUSED[text] in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("rtsp://u:s3cr3t@h/s", {"password": "other"}, "two passwords"),
        ("rtsp://a@h/s", {"user": "b", "password": "p"}, "two users"),
        ("rtsp://h/s", {"password": "s3cr3t"}, "user"),
        ("rtsp://h/s", {"user": "a:b", "password": "p"}, "colon"),
        ("rtsp://h/s", {"user": "a", "password": "s3cr3t" * 30}, "long"),
        ("rtsp://h/s", {"user": "a", "password": "s3cr3t\r\nX"}, "character"),
        ("door.mp4", {"user": "a", "password": "s3cr3t"}, "no user"),
        ("rtsp://h/s", {"transport": "quic"}, "tcp or udp"),
        ("rtsps://h/s", {"transport": "udp"}, "not encrypted"),
        ("http://h/s", {"transport": "udp"}, "rtsp://"),
        ("rtsp://h/s", {"ca_file": Path("ca.pem")}, "not TLS"),
        ("rtsps://h/s", {"ca_file": Path("/nowhere/ca.pem")}, "ca.pem"),
    ],
)
def test_options_that_contradict_the_source_are_refused(
    text: str, options: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"^lobby: ") as refused:
        parse(text, setting="lobby", **options)  # type: ignore[arg-type]
    assert named in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_an_address_can_not_be_written_to_disk_by_accident() -> None:
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(parse("rtsp://u:p@h/s"))
