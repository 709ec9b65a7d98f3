"""Opens a source through PyAV: what FFmpeg may read, and for how long."""

import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer

from maskgate.protocol.errors import ConfigurationError
from producer.video.errors import VideoError, plainly
from producer.video.http_stream import HttpStream
from producer.video.rgb import MAX_SIDE
from producer.video.source_address import SourceAddress, SourceKind

av.logging.set_level(None)  # FFmpeg's log would print URLs with passwords

#: FFmpeg finds a file's format by its content. Playlists, which name other files, are not here.
_FILE_FORMATS = (
    "apng,asf,avi,dhav,flv,gif,h264,hevc,ivf,m4v,matroska,webm,mjpeg,mov,mp4,m4a,3gp,3g2,mj2,mpeg,"
    "mpegts,mpegvideo,mpjpeg,mxf,nut,obu,ogg,smjpeg,yuv4mpegpipe"
)
#: What cameras send. An attacker in their network reaches no other decoder.
_LIVE_CODECS = "av1,h263,h264,hevc,libdav1d,mjpeg,mpeg2video,mpeg4,rawvideo,vp8,vp9"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a source is opened and read."""

    #: For connecting, and for finding the video.
    open_timeout_s: float = 5.0
    #: The longest wait for the next picture of a live source.
    read_timeout_s: float = 4.0
    #: A hardware decoder such as ``cuda`` or ``vaapi``; empty: software.
    hwaccel: str = ""
    #: The format that a V4L2 device is asked for, such as ``mjpeg``; empty: its own choice.
    device_format: str = ""

    def __post_init__(self) -> None:
        """Raises ConfigurationError if this build of FFmpeg lacks the hardware decoder."""
        if self.hwaccel and self.hwaccel not in hwdevices_available():
            known = ", ".join(hwdevices_available()) or "none"
            msg = f"hwaccel: this FFmpeg has no {self.hwaccel!r}; it has: {known}"
            raise ConfigurationError(msg)


def opened(
    address: SourceAddress, options: StreamOptions, body: HttpStream | None
) -> InputContainer:
    """The source in FFmpeg's hands; ``body`` is what an HTTP camera sends.

    Raises:
        VideoError: it can't be opened; the message says why.
    """
    if address.kind is SourceKind.FILE:
        _must_be_a_file(address)
    hwaccel = None
    if options.hwaccel and not hardware_trouble(options.hwaccel):
        hwaccel = HWAccel(options.hwaccel)
    return plainly(
        lambda: av.open(
            address.target if body is None else body,
            mode="r",
            format=_format(address),
            options={"max_pixels": str(MAX_SIDE**2), **_options(address, options)},
            timeout=(options.open_timeout_s, options.read_timeout_s),
            hwaccel=hwaccel,
        ),
        address,
        options.open_timeout_s,
    )


def hardware_trouble(name: str) -> str:
    """Why this machine can't decode by this hardware, or nothing. Software does it then."""
    try:
        HWAccel(name).create(av.Codec("h264", "r"))
    except NotImplementedError:
        return f"this FFmpeg can't decode by {name}"
    except (av.FFmpegError, RuntimeError, OSError):
        return f"there is no device for {name}, or it may not be used"
    return ""


def _format(address: SourceAddress) -> str | None:
    if address.kind is SourceKind.FILE:
        return None
    return {SourceKind.RTSP: "rtsp", SourceKind.HTTP: "mpjpeg"}.get(address.kind, "v4l2")


def _options(address: SourceAddress, options: StreamOptions) -> dict[str, str]:
    """Options of FFmpeg's demuxers. Unknown ones are ignored by it, so tests look at the effect."""
    if address.kind is SourceKind.FILE:
        return {"protocol_whitelist": "file", "format_whitelist": _FILE_FORMATS}
    live = {"codec_whitelist": _LIVE_CODECS}
    if address.kind is SourceKind.HTTP:
        return {**live, "protocol_whitelist": ""}
    if address.kind is SourceKind.DEVICE:
        wanted = {"input_format": options.device_format} if options.device_format else {}
        return {**live, **wanted}
    return {**live, **_rtsp_options(address)}


def _rtsp_options(address: SourceAddress) -> dict[str, str]:
    own = {
        "rtsp_transport": address.transport,
        "allowed_media_types": "video",
        "fpsprobesize": "0",  # the rate does not matter; guessing it takes a second
        "protocol_whitelist": "rtp,tcp,udp" if address.transport == "udp" else "rtp,tcp",
    }
    if not address.is_encrypted:
        return own
    ca_file = address.ca_file or ssl.get_default_verify_paths().cafile
    return {
        **own,
        "protocol_whitelist": "rtp,tcp,tls",
        "tls_verify": "1",
        **({"ca_file": str(ca_file)} if ca_file else {}),
    }


def _must_be_a_file(address: SourceAddress) -> None:
    """FFmpeg would wait for ever for the other end of a pipe."""
    about = plainly(lambda: Path(address.target.removeprefix("file:")).stat(), address, 0)
    if stat.S_ISDIR(about.st_mode):
        msg = "is a folder, not a file"
    elif not stat.S_ISREG(about.st_mode):
        msg = "is not a regular file"
    elif about.st_size == 0:
        msg = "the file is empty"
    else:
        return
    raise VideoError(msg)
