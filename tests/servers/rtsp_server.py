"""A camera for tests: GStreamer's RTSP server in a process that can be stalled and killed."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ports import free_port

#: The distribution's Python: GStreamer's bindings come with it, not from the package index.
_PYTHON = "/usr/bin/python3"
_PROGRAM = Path(__file__).with_name("rtsp_program.py")
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0')"


class RtspServer:
    """Shows a test picture at ``rtsp://127.0.0.1:PORT/door``; ``options`` are the program's."""

    def __init__(self, **options: Any) -> None:
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def url(self, credentials: str = "", scheme: str = "rtsp", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{credentials}{host}:{self.port}/door"

    def start(self, **changes: Any) -> None:
        """Start it, also again after ``kill``; ``changes`` replace options."""
        self._options.update(changes)
        self._process = subprocess.Popen(
            [_PYTHON, str(_PROGRAM), json.dumps({"port": self.port, **self._options})],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the RTSP server did not start"

    def stall(self) -> None:
        """Stop in the middle of everything: connections stay open, nothing comes."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def rtsp_server(**options: Any) -> Iterator[RtspServer]:
    """A running server; the test is skipped where GStreamer can't be had."""
    require_gstreamer()
    server = RtspServer(**options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def require_gstreamer() -> None:
    """Without GStreamer's RTSP server: skip, or fail where it should be installed."""
    if Path(_PYTHON).exists():
        probe = subprocess.run([_PYTHON, "-c", _PROBE], capture_output=True, check=False)
        if probe.returncode == 0:
            return
    message = "GStreamer's RTSP server is missing: run tests/servers/install as root"
    if os.environ.get("CI") or (os.geteuid() == 0 and shutil.which("apt-get")):
        pytest.fail(message)
    pytest.skip(message)
