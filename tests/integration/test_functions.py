"""``maskgate functions``: the code in Redis, loaded by a user who may do nothing else."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from maskgate.operations.functions import main
from maskgate.redis_functions import library
from tests.servers.ports import eventually
from tests.servers.processes import running
from tests.servers.redis_server import RedisServer


@pytest.fixture
def admin(guarded: RedisServer) -> Iterator[Redis]:
    with Redis(port=guarded.port, username="admin", password="a", decode_responses=True) as client:
        client.function_flush()
        yield client


@pytest.fixture
def environment(guarded: RedisServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    wanted = {
        "MASKGATE_REDIS_URL": f"redis://deployer@127.0.0.1:{guarded.port}/0",
        "MASKGATE_REDIS_PASSWORD": "d",
    }
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    return wanted


@pytest.mark.usefixtures("environment")
def test_loading_twice_is_loading_once(admin: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["functions"]) == main(["functions"]) == 0
    assert library().is_loaded(admin)
    assert capsys.readouterr().out == f"loaded {library().name}\n" * 2


def test_functions_are_loaded_again_after_redis_lost_them(
    admin: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    command = ("maskgate", "functions", "--keep-loaded")
    with running(*command, environment=environment, log=tmp_path / "log") as process:
        eventually(lambda: library().is_loaded(admin), 20, "the functions")
        admin.function_flush()
        eventually(lambda: library().is_loaded(admin), 20, "the functions again")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_redis_that_is_away_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MASKGATE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["functions"]) == 69
    assert "Connection refused" in capsys.readouterr().err


def test_a_worker_can_neither_load_code_nor_run_its_own(guarded: RedisServer) -> None:
    loops = "while true do end"
    library = f"#!lua name=x\nredis.register_function('x', function() {loops} end)"
    with Redis(port=guarded.port, username="worker", password="w") as worker:
        for command in (
            ("SCRIPT", "LOAD", loops),
            ("EVAL", loops, 0),
            ("EVALSHA", "0" * 40, 0),
            ("FUNCTION", "LOAD", library),
            ("FUNCTION", "FLUSH"),
        ):
            with pytest.raises(NoPermissionError):
                worker.execute_command(*command)
