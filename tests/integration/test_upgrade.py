"""An installation of a former version is brought up to date: passwords stay, the rest follows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pika
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from maskgate.operations.commands import main
from maskgate.operations.secrets import generate
from maskgate.protocol.topology import LIVE_QUEUE
from maskgate.runtime.store import connect
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import redis_server

Command = Callable[..., int]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The files of a former version: other rights, an exchange of another type, no limits."""
    generate(tmp_path)

    def older(text: str) -> str:
        definitions: dict[str, Any] = json.loads(text)
        definitions["exchanges"][0]["type"] = "direct"
        definitions["bindings"][0]["routing_key"] = "live"
        definitions["policies"][0]["definition"] = {"max-length": 7}
        definitions["topic_permissions"] = []
        for rights in definitions["permissions"]:
            if rights["user"] == "auditor":
                rights["write"] = "^(crops|audit)$"
        return json.dumps(definitions)

    changed(tmp_path / "rabbitmq" / "definitions.json", older)
    changed(tmp_path / "redis" / "users.acl", lambda text: text.replace(" +hgetall", ""))
    return tmp_path


def changed(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text()
    path.unlink()
    path.write_text(change(text))


@pytest.fixture
def topology(rabbit: RabbitServer, installed: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("MASKGATE_MANAGEMENT_URL", rabbit.management_url)
    monkeypatch.setenv("MASKGATE_MANAGEMENT_PASSWORD", "guest")
    monkeypatch.setenv("MASKGATE_SECRETS_DIR", str(installed))
    return lambda *arguments: main(["topology", "apply", *arguments])


def passwords(folder: Path) -> dict[Path, str]:
    return {
        path: path.read_text() for path in folder.rglob("*") if path.is_file() and not path.suffix
    }


def test_running_secrets_again_keeps_passwords_and_shows_what_changed(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = passwords(installed)
    definitions = installed / "rabbitmq" / "definitions.json"
    users = json.loads(definitions.read_text())["users"]
    assert main(["secrets", str(installed)]) == 0
    reported = capsys.readouterr().out
    for line in (
        "~ exchange crops: type 'direct' -> 'topic'",
        "~ permission auditor /: write '^(crops|audit)$' -> '^audit$'",
        "+ topic permission drawn crops: write",
        "~ policy crops.live: definition {'max-length': 7} ->",
        "~ Redis user gate: ",
    ):
        assert line in reported
    assert passwords(installed) == before
    assert json.loads(definitions.read_text())["users"] == users, "a password has another hash"
    for secret in (*before.values(), *(user["password_hash"] for user in users), "#"):
        assert secret not in reported
    assert main(["secrets", str(installed)]) == 0
    assert capsys.readouterr().out == ""


def test_a_running_broker_is_brought_up_to_date_and_its_cameras_stay(
    topology: Command, rabbit: RabbitServer, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["camera", "add", "yard"]) == 0
    try:
        with rabbit.channel() as channel:
            channel.exchange_delete("crops")
            channel.exchange_declare("crops", "direct", durable=True)
        rabbit.ctl("import_definitions", str(installed / "rabbitmq" / "definitions.json"))
        generate(installed)
        assert topology() == 78
        reported = capsys.readouterr()
        assert "exchange crops" in reported.err
        assert "--replace-exchanges" in reported.err
        assert topology("--replace-exchanges") == 0
        reported = capsys.readouterr()
        assert "~ permission auditor /: write '^(crops|audit)$' -> '^audit$'" in reported.out
        assert "? user guest" in reported.out
        word = (installed / "cameras" / "yard" / "broker").read_text()
        for secret in (*passwords(installed).values(), "password_hash"):
            assert secret not in reported.out + reported.err
        login = pika.PlainCredentials("camera-yard", word)
        with pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", rabbit.port, credentials=login)
        ) as connection:
            sending = connection.channel()
            sending.confirm_delivery()
            sending.basic_publish("crops", "live.yard", b"", mandatory=True)
        assert rabbit.depth(LIVE_QUEUE) == 1
        assert topology() == 0
        assert [line for line in capsys.readouterr().out.splitlines() if line[0] in "+~"] == []
    finally:
        main(["camera", "revoke", "yard"])


def test_a_queue_of_another_type_is_named_with_what_to_do(
    topology: Command, rabbit: RabbitServer, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(installed)
    with rabbit.channel() as channel:
        channel.queue_delete(LIVE_QUEUE)
        channel.queue_declare(LIVE_QUEUE, durable=True, arguments={"x-queue-type": "classic"})
    try:
        assert topology("--replace-exchanges") == 78
        assert "rabbitmqctl delete_queue" in capsys.readouterr().err
    finally:
        with rabbit.channel() as channel:
            channel.queue_delete(LIVE_QUEUE)
        assert topology("--replace-exchanges") == 0
    assert f"+ queue {LIVE_QUEUE}" in capsys.readouterr().out


def test_redis_reads_the_new_rights_when_it_is_told_to(installed: Path) -> None:
    password = (installed / "redis" / "admin").read_text()
    with redis_server(installed / "redis" / "users.acl", admin_password=password) as server:

        def client(role: str, path: str) -> Redis:
            url = f"redis://{role}@127.0.0.1:{server.port}/0"
            return connect(url, (installed / path).read_text(), name="test", timeout_s=5)

        with client("gate", "gate/redis") as gate, client("admin", "redis/admin") as admin:
            with pytest.raises(NoPermissionError):
                gate.hgetall("verdict:{door}")
            generate(installed)
            admin.acl_load()
        with client("gate", "gate/redis") as gate:
            assert gate.hgetall("verdict:{door}") == {}
