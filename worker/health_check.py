"""``python -m worker.health_check``: is the worker of this container ready?

Exits 0 if it is, 69 with the reason if it is not, and 78 without ``MASKGATE_METRICS_PORT``. A
container engine runs this every few seconds beside each worker, so it imports little of the
standard library and nothing else: ``http.client`` alone would double its time.
"""

import os
import socket
import sys

_TIMEOUT_S = 5.0
_REQUEST = b"GET /readyz HTTP/1.0\r\n\r\n"
# Those of maskgate.runtime.exit_codes, which this must not import.
_OK, _UNAVAILABLE, _BAD_CONFIGURATION = 0, 69, 78


def main() -> int:
    """Ask the worker on this machine, print what it says, return an exit code."""
    port = os.environ.get("MASKGATE_METRICS_PORT", "")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        print("MASKGATE_METRICS_PORT: must be set, and be the port of the worker to ask")
        return _BAD_CONFIGURATION
    try:
        status, text = _ask(_address(), int(port))
    except OSError as error:
        status, text = b"", f"no answer on port {port}: {error}"
    ready = status == b"200"
    print("ready" if ready else text)
    return _OK if ready else _UNAVAILABLE


def _address() -> str:
    host = os.environ.get("MASKGATE_METRICS_HOST", "")
    return "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104  (compared, not bound)


def _ask(host: str, port: int) -> tuple[bytes, str]:
    """The status and the body of the answer."""
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(_REQUEST)
        with connection.makefile("rb") as answer:
            head, _, body = answer.read(4096).partition(b"\r\n\r\n")
    return head[9:12], body.decode(errors="replace").strip()


if __name__ == "__main__":
    sys.exit(main())
