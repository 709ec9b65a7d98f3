"""An RTSP server that plays an H.264 file: ``/usr/bin/python3 rtsp_source.py FILE``.

It runs with the distribution's Python, which has GStreamer's bindings, and imports nothing of this
repository. It serves ``rtsp://HOST:8554/door``. At the end of the file it ends the stream, as
cameras do that are restarted; who connects again sees it from the beginning.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PORT = "8554"


def main(path: str) -> None:
    """Serve until the process is ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(PORT)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{path}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=1 )'
    )
    server.get_mount_points().add_factory("/door", factory)
    server.attach(None)
    print(f"rtsp://0.0.0.0:{PORT}/door plays {path}", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(sys.argv[1])
