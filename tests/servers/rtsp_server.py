"""An RTSP server for tests: ``/usr/bin/python3 tests/servers/rtsp_server.py '{"port": 8554}'``.

It runs with the distribution's Python, which has GStreamer's bindings, and imports nothing of this
repository. It prints ``ready`` when it accepts connections and serves ``/door``, a test picture.
The JSON may hold: ``codec`` (h264, mjpeg), ``width``, ``height``, ``fps``, ``user`` and
``password``, ``digest`` (true or false), ``certificate`` (a PEM file with certificate and key).
"""
# mypy: ignore-errors

import json
import sys

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


def pipeline(codec="h264", width=320, height=240, fps=15, **_others):
    raw = f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
    encoder = _ENCODERS[codec].format(fps=fps)
    return f"( videotestsrc is-live=true pattern=smpte ! {raw} ! {encoder} )"


def guard(server, user="", password="", digest=True, certificate="", **_others):
    auth = GstRtspServer.RTSPAuth()
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    server.set_auth(auth)
    if not user:
        role = "anonymous"
        auth.set_default_token(token(role))
        return role
    role = "viewer"
    if digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token(role))
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token(role))
    return role


def token(role):
    known = GstRtspServer.RTSPToken()
    known.set_string("media.factory.role", role)
    return known


def main(options):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options["port"]))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(pipeline(**options))
    factory.set_shared(True)
    if options.get("user") or options.get("certificate"):
        role = guard(server, **options)
        factory.add_role_from_structure(rights(role))
    server.get_mount_points().add_factory("/door", factory)
    if server.attach(None) == 0:
        sys.exit(f"can't listen on port {options['port']}")
    print("ready", flush=True)
    GLib.MainLoop().run()


def rights(role):
    structure = Gst.Structure.new_empty(role)
    structure.set_value("media.factory.access", True)
    structure.set_value("media.factory.construct", True)
    return structure


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
