"""The wheel as others install it: what is in it, and that a door needs nothing else."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path

import pytest

from maskgate.protocol.verdict import verdict_key
from tests.servers.redis_server import RedisServer

ROOT = Path(__file__).parent.parent.parent
#: What only other roles need.
HEAVY = ("cv2", "numpy", "onnxruntime", "pika", "torch")
DECIDE = """
import importlib.util, json, sys
from maskgate import Gate
with Gate(sys.argv[1]) as gate:
    print(json.dumps({
        "lobby": gate.decision("lobby", timeout_s=1).action,
        "nowhere": gate.decision("nowhere").action,
        "library": importlib.util.find_spec("maskgate").origin,
        "heavy": [name for name in sys.argv[2:] if importlib.util.find_spec(name)],
    }))
"""

pytestmark = pytest.mark.timeout(300)


def pip(python: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a package registry a laptop skips these tests, CI fails."""
    directory = str(tmp_path_factory.mktemp("registry"))
    asked = pip(
        Path(sys.executable), "download", "--no-deps", "--no-cache-dir", "-d", directory, "msgspec"
    )
    if asked.returncode:
        message = f"pip cannot download packages here: {asked.stderr[-300:]}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    # The build tool of this environment if it is there, else one that pip downloads for the build.
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    built = pip(
        Path(sys.executable), "wheel", "--no-deps", *isolation, "-w", str(directory), str(ROOT)
    )
    assert built.returncode == 0, built.stderr
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a new virtual environment that holds the wheel and what it requires."""
    directory = tmp_path_factory.mktemp("venv")
    venv.create(directory, with_pip=True)
    ended = pip(directory / "bin" / "python", "install", str(wheel))
    assert ended.returncode == 0, ended.stderr
    return directory / "bin"


@pytest.fixture
def masked_lobby(redis: RedisServer) -> RedisServer:
    """A Redis where the camera ``lobby`` has a fresh verdict: mask."""
    now_ms = time.time_ns() // 1_000_000
    verdict = {
        "crop_id": "0" * 32,
        "track_id": "t",
        "outcome": "mask",
        "p_mask": "0.97",
        "captured_at": str(now_ms),
        "decided_at": str(now_ms),
        "model": "m",
        "crops": "1",
        "agreeing": "1",
    }
    with redis.client() as client:
        client.hset(verdict_key("lobby"), mapping=verdict)
    return redis


def test_the_wheel_holds_the_library_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        definitions = archive.read("maskgate/operations/definitions.json")
    library = ROOT / "maskgate"
    code = {
        str(path.relative_to(ROOT)) for path in library.rglob("*") if path.suffix in (".py", ".lua")
    }
    assert names == code | {"maskgate/py.typed", "maskgate/operations/definitions.json"}
    assert definitions == (ROOT / "deploy" / "rabbitmq" / "definitions.json").read_bytes()


def test_a_door_decides_with_nothing_installed_but_the_wheel(
    installed: Path, masked_lobby: RedisServer, tmp_path: Path
) -> None:
    # Isolated (-I), so that neither this checkout nor the environment adds modules.
    command = [str(installed / "python"), "-I", "-c", DECIDE, masked_lobby.url, *HEAVY]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert Path(found.pop("library")).is_relative_to(installed.parent)
    assert found == {"lobby": "remove_mask", "nowhere": "manual", "heavy": []}


def test_the_installed_command_decides_too(
    installed: Path, masked_lobby: RedisServer, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [installed / "maskgate", "wait", "lobby"],
        cwd=tmp_path,
        env={"MASKGATE_REDIS_URL": masked_lobby.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 10, ended.stderr
    assert json.loads(ended.stdout)["decision"] == "remove_mask"
