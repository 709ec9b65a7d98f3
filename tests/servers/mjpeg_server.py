"""An HTTP camera for tests: MJPEG as multipart/x-mixed-replace, well or badly behaved."""

import hashlib
import http.server
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from urllib.request import parse_http_list, parse_keqv_list

import cv2
import numpy as np

from tests.servers.certificates import Certificate

USER, PASSWORD = "viewer", "s3cr3t/:@ word"
_NONCE, _REALM = "b7a1", "cam era"


def jpeg(value: int, width: int = 320, height: int = 240) -> bytes:
    """A grey picture."""
    pixels = np.full((height, width, 3), value, np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


class Camera(http.server.BaseHTTPRequestHandler):
    """Each path is a behaviour; ``pictures`` is the good one."""

    server: "MjpegServer"

    def do_GET(self) -> None:
        self.server.requests.append(self.headers.get("Authorization", ""))
        behaviour = getattr(self, "show_" + self.path.strip("/").partition("?")[0], None)
        with suppress(OSError):
            if behaviour is None:
                self.send_error(404)
            else:
                behaviour()

    def log_message(self, *_: object) -> None:
        """Not on the tests' standard error."""

    def show_pictures(self, count: int = 10**9) -> None:
        self.begin()
        for number in range(count):
            self.part(jpeg(number % 25 * 10))
            if self.server.closing.wait(0.02):
                break

    def show_ten(self) -> None:
        self.show_pictures(10)

    def show_lengthless(self) -> None:
        """Parts without Content-Length, as old cameras send them."""
        self.begin()
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(99) + b"\r\n")

    def show_stall(self) -> None:
        """Ten pictures, and half of the eleventh."""
        self.show_pictures(10)
        self.part(jpeg(100), half=True)
        self.server.closing.wait(60)

    def show_cut(self) -> None:
        """Ten pictures, half of the eleventh, and the connection is closed."""
        self.show_pictures(10)
        self.part(jpeg(100), half=True)

    def show_spoilt(self) -> None:
        """Ten pictures, and then nothing that could be decoded."""
        self.show_pictures(10)
        while not self.server.closing.wait(0.02):
            self.part(b"no JPEG at all " * 50)

    def show_drip(self) -> None:
        """A picture that comes byte by byte."""
        self.begin()
        self.part(jpeg(100), half=True)
        while not self.server.closing.wait(0.05):
            self.wfile.write(b"x")

    def show_endless(self) -> None:
        """A picture that never ends, as fast as the network takes it."""
        self.begin()
        self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8")
        while not self.server.closing.is_set():
            self.wfile.write(bytes(1 << 20))
            self.server.endless_bytes += 1 << 20

    def show_dripping_headers(self) -> None:
        self.send_response_only(200)
        self.flush_headers()
        while not self.server.closing.wait(0.05):
            self.wfile.write(b"X")

    def show_redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def show_snapshot(self) -> None:
        self.begin("image/jpeg")
        self.wfile.write(jpeg(5))

    def show_garbage(self) -> None:
        self.begin()
        while not self.server.closing.wait(0.02):
            self.part(b"no JPEG at all " * 50)

    def show_basic(self) -> None:
        proof = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.ask(f'Basic realm="{_REALM}"', lambda given: given == proof)

    def show_digest(self) -> None:
        self.ask(
            f'Digest realm="{_REALM}", nonce="{_NONCE}", qop="auth", opaque="0, 1"',
            partial(self.is_digest, "md5"),
        )

    def show_digest_sha256(self) -> None:
        self.ask(
            f'Digest realm="{_REALM}", nonce="{_NONCE}", algorithm=SHA-256, qop="auth-int, auth"',
            partial(self.is_digest, "sha256"),
        )

    def show_old_digest(self) -> None:
        self.ask(f'Digest realm="{_REALM}", nonce="{_NONCE}"', partial(self.is_digest, "md5"))

    def show_unknown_auth(self) -> None:
        self.ask("Negotiate", lambda given: False)

    def ask(self, challenge: str, proves: Callable[[str], bool]) -> None:
        if proves(self.headers.get("Authorization", "")):
            self.show_pictures()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", challenge)
            self.end_headers()

    def is_digest(self, algorithm: str, given: str) -> bool:
        """RFC 7616, 3.4.1, as a camera computes it."""
        if not given.startswith("Digest "):
            return False
        said = parse_keqv_list(parse_http_list(given.removeprefix("Digest ")))

        def of(text: str) -> str:
            return hashlib.new(algorithm, text.encode()).hexdigest()

        who, what = of(f"{USER}:{_REALM}:{PASSWORD}"), of(f"GET:{self.path}")
        middle = f":{said['nc']}:{said['cnonce']}:{said['qop']}" if "qop" in said else ""
        expected = of(f"{who}:{_NONCE}{middle}:{what}")
        return (said["response"], said["uri"]) == (expected, self.path)

    def begin(self, content_type: str = "multipart/x-mixed-replace; boundary=frame") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def part(self, body: bytes, *, half: bool = False) -> None:
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body[: len(body) // (2 if half else 1)])
        if not half:
            self.wfile.write(b"\r\n")


class MjpegServer(http.server.ThreadingHTTPServer):
    """Serves :class:`Camera` on a free port."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Camera)
        self.closing = threading.Event()
        #: The header ``Authorization`` of every request.
        self.requests: list[str] = []
        self.endless_bytes = 0

    def url(self, path: str, credentials: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{credentials}localhost:{self.server_port}/{path}"


@contextmanager
def mjpeg_server(certificate: Certificate | None = None) -> Iterator[MjpegServer]:
    """A running server, with TLS if there is a certificate."""
    server = MjpegServer()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
