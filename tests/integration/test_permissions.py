"""The permission matrix on real servers with the users of ``maskgate/operations/rights.py``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from maskgate.operations.broker_probes import BROKER
from maskgate.operations.cameras import Sender, add, revoke
from maskgate.operations.commands import main
from maskgate.operations.management import Management
from maskgate.operations.permissions import INTENDED_BROKER, INTENDED_REDIS
from maskgate.operations.redis_probes import REDIS, REDIS_BY_DRYRUN
from maskgate.operations.secrets import generate
from maskgate.protocol.crop import MAX_BODY_BYTES
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer, redis_server


@pytest.fixture
def secrets(tmp_path: Path, rabbit: RabbitServer) -> Iterator[Path]:
    generate(tmp_path)
    rabbit.ctl("import_definitions", str(tmp_path / "rabbitmq" / "definitions.json"))
    management = Management(rabbit.management_url, SecretStr("guest"))
    add(management, tmp_path, "yard", Sender(["yard"]))
    yield tmp_path
    revoke(management, tmp_path, "yard")


@pytest.fixture
def guarded(secrets: Path) -> Iterator[RedisServer]:
    password = (secrets / "redis" / "admin").read_text()
    with redis_server(secrets / "redis" / "users.acl", admin_password=password) as server:
        yield server


@pytest.fixture
def command(secrets: Path, rabbit: RabbitServer, guarded: RedisServer) -> list[str]:
    return [
        "permissions",
        "--secrets",
        str(secrets),
        "--broker",
        f"127.0.0.1:{rabbit.port}",
        "--redis",
        f"127.0.0.1:{guarded.port}",
        "--camera",
        "yard",
    ]


def test_every_role_has_exactly_the_intended_rights(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0, capsys.readouterr().out
    reported = capsys.readouterr().out
    cells = len(BROKER) * len(INTENDED_BROKER) + len({**REDIS, **REDIS_BY_DRYRUN}) * len(
        INTENDED_REDIS
    )
    assert reported.endswith(f"{cells} tried, 0 not as intended\n")
    assert "(!)" not in reported


def test_an_extra_right_is_found(
    command: list[str], rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    rabbit.ctl("set_permissions", "camera-yard", "^$", "^(crops|audit)$", "^$")
    assert main(command) == 70
    reported = capsys.readouterr().out
    assert reported.count("yes (!)") == 1
    assert "1 not as intended" in reported


def test_a_user_without_a_topic_permission_is_found(
    command: list[str], rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    rabbit.ctl("clear_topic_permissions", "camera-yard")
    assert main(command) == 70
    assert "2 not as intended" in capsys.readouterr().out  # another camera's crops, and no camera's


def test_a_broker_without_a_size_limit_is_found(
    command: list[str], rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    rabbit.ctl("eval", "application:set_env(rabbit, max_message_size, 16777216).")
    try:
        assert main(command) == 70
    finally:
        rabbit.ctl("eval", f"application:set_env(rabbit, max_message_size, {MAX_BODY_BYTES}).")
    # Three kinds of cameras, the operator and the desk may publish crops.
    assert "5 not as intended" in capsys.readouterr().out


def test_a_missing_secret_is_named(
    command: list[str], secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (secrets / "worker" / "broker").unlink()
    assert main(command) == 78
    assert "worker/broker" in capsys.readouterr().err
