"""An RTSP server: ``/usr/bin/python3 tests/servers/rtsp_program.py '{"port": 8554}'``.

It runs with the distribution's Python, which has GStreamer's bindings, and imports nothing of this
repository. It prints ``ready`` when it listens, and serves ``/door``: a test picture. The JSON are
the fields of :class:`Options`.
"""
# mypy: ignore-errors

import json
import sys
from dataclasses import dataclass

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

_ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={fps} "
    "! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=1",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}


@dataclass
class Options:
    port: int
    codec: str = "h264"
    width: int = 320
    height: int = 240
    fps: int = 15
    #: Who may look; empty: everybody.
    user: str = ""
    password: str = ""
    digest: bool = True
    #: A PEM file with certificate and key: TLS.
    certificate: str = ""


def pipeline(options: Options) -> str:
    size = f"width={options.width},height={options.height},framerate={options.fps}/1"
    encoder = _ENCODERS[options.codec].format(fps=options.fps)
    return f"( videotestsrc is-live=true ! video/x-raw,format=I420,{size} ! {encoder} )"


def guard(server: GstRtspServer.RTSPServer, options: Options) -> str:
    """Ask for TLS, user and password; returns the role of those who may look."""
    auth = GstRtspServer.RTSPAuth()
    server.set_auth(auth)
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    role = "viewer"
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", role)
    if not options.user:
        auth.set_default_token(token)
    elif options.digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options.user, options.password, token)
    else:
        auth.add_basic(auth.make_basic(options.user, options.password), token)
    return role


def rights(role: str) -> Gst.Structure:
    structure = Gst.Structure.new_empty(role)
    structure.set_value("media.factory.access", True)
    structure.set_value("media.factory.construct", True)
    return structure


def main(options: Options) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(pipeline(options))
    factory.set_shared(True)
    if options.user or options.certificate:
        factory.add_role_from_structure(rights(guard(server, options)))
    server.get_mount_points().add_factory("/door", factory)
    if server.attach(None) == 0:
        sys.exit(f"can't listen on port {options.port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(Options(**json.loads(sys.argv[1])))
