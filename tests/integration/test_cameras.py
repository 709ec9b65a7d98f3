"""``maskgate camera`` on a running broker: registered, rotated and revoked while it works."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAuthenticationError,
)

from maskgate.operations.commands import main
from maskgate.protocol.topology import LIVE_QUEUE
from producer.scenes.record import film, record
from tests.servers.ports import eventually
from tests.servers.processes import done
from tests.servers.rabbit_server import RabbitServer

Command = Callable[..., int]


@pytest.fixture
def camera(
    rabbit: RabbitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    monkeypatch.setenv("MASKGATE_MANAGEMENT_URL", rabbit.management_url)
    monkeypatch.setenv("MASKGATE_MANAGEMENT_PASSWORD", "guest")
    monkeypatch.setenv("MASKGATE_SECRETS_DIR", str(tmp_path))
    yield lambda *arguments: main(["camera", *arguments])
    for name in ("yard", "nvr"):
        rabbit.ctl("delete_user", f"camera-{name}")


def password(folder: Path, name: str = "yard") -> str:
    return (folder / "cameras" / name / "broker").read_text()


def connected(rabbit: RabbitServer, word: str, name: str = "yard") -> pika.BlockingConnection:
    login = pika.PlainCredentials(f"camera-{name}", word)
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", rabbit.port, credentials=login)
    )


def publishes(connection: pika.BlockingConnection, key: str, exchange: str = "crops") -> bool:
    channel: Any = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish(exchange, key, b"", mandatory=True)
    except ChannelClosedByBroker as error:
        assert error.reply_code == 403
        return False
    return True


def test_a_camera_speaks_for_itself_alone(
    camera: Command, rabbit: RabbitServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera("add", "yard") == 0
    reported = capsys.readouterr()
    assert "camera-yard" in reported.out
    assert password(tmp_path) not in reported.out + reported.err
    connection = connected(rabbit, password(tmp_path))
    assert publishes(connection, "live.yard")
    for key in ("live.lobby", "live.yard2", "liveXyard", "live.yard\n", "live.*", "live", ""):
        assert not publishes(connection, key), key
    assert not publishes(connection, "audit", "audit")
    connection.close()
    assert rabbit.depth(LIVE_QUEUE) == 1


def test_a_copy_to_another_key_arrives_under_its_senders_own(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    connection = connected(rabbit, password(tmp_path))
    copies = pika.BasicProperties(headers={"CC": ["live.lobby"], "BCC": ["live.hall"]})
    connection.channel().basic_publish("crops", "live.yard", b"", copies)
    connection.close()
    eventually(lambda: rabbit.depth(LIVE_QUEUE) == 1, what="one copy")
    with rabbit.channel() as channel:
        assert channel.basic_get(LIVE_QUEUE)[0].routing_key == "live.yard"


def test_a_sender_of_many_cameras_is_named_as_such(
    camera: Command, rabbit: RabbitServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera("add", "nvr", "--for", "a,b-2", "--audit") == 0
    connection = connected(rabbit, password(tmp_path, "nvr"), "nvr")
    sent = {key: publishes(connection, key) for key in ("live.a", "live.b-2", "live.nvr")}
    assert sent == {"live.a": True, "live.b-2": True, "live.nvr": False}
    assert publishes(connection, "audit", "audit")
    connection.close()
    assert camera("add", "yard", "--for-any") == 0
    connection = connected(rabbit, password(tmp_path))
    assert publishes(connection, "live.whoever")
    assert not publishes(connection, "live.a:b")
    connection.close()
    capsys.readouterr()
    assert camera("list") == 0
    assert capsys.readouterr().out == "nvr: a, b-2; audit samples\nyard: any camera\n"


def test_a_new_password_cuts_off_whoever_uses_the_old_one(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    old = password(tmp_path)
    stolen = connected(rabbit, old)
    assert publishes(stolen, "live.yard")
    assert camera("rotate", "yard") == 0
    with pytest.raises(ConnectionClosedByBroker):
        publishes(stolen, "live.yard")
    with pytest.raises(ProbableAuthenticationError):
        connected(rabbit, old)
    with connected(rabbit, password(tmp_path)) as honest:
        assert publishes(honest, "live.yard")
        assert not publishes(honest, "live.lobby"), "its rights are as before"


def test_a_revoked_camera_is_cut_off_and_its_password_is_gone(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    word = password(tmp_path)
    connection = connected(rabbit, word)
    assert camera("revoke", "yard") == 0
    with pytest.raises(AMQPConnectionError):
        publishes(connection, "live.yard")
    with pytest.raises(ProbableAuthenticationError):
        connected(rabbit, word)
    assert not list((tmp_path / "cameras").rglob("broker*"))
    assert camera("revoke", "yard") == 78


def test_a_camera_keeps_its_password_when_the_broker_lost_its_users(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    before = password(tmp_path)
    rabbit.ctl("delete_user", "camera-yard")
    assert camera("add", "yard") == 0
    assert password(tmp_path) == before
    with connected(rabbit, before) as connection:
        assert publishes(connection, "live.yard")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "a.b"], "camera id"),
        (["add", "yard", "--for", "a|.*"], "camera id"),
        (["add", "../x"], "camera id"),
        (["rotate", "nobody"], "not registered"),
        (
            ["list", "--management-url", "http://guest:guest@127.0.0.1:1"],
            "MANAGEMENT_PASSWORD_FILE",
        ),
        (["list", "--management-url", "ftp://guest@127.0.0.1"], "--management-url"),
    ],
)
def test_what_can_not_be_done_is_said(
    camera: Command, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera(*arguments) == 78
    reported = capsys.readouterr().err
    assert said in reported
    assert "guest:guest" not in reported


def test_a_registered_camera_is_not_registered_again(
    camera: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera("add", "yard") == 0
    assert camera("add", "yard") == 78
    assert "is registered" in capsys.readouterr().err


def test_without_a_broker_or_a_password_it_says_so(
    camera: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert camera("list", "--management-url", "http://guest@127.0.0.1:1") == 69
    monkeypatch.setenv("MASKGATE_MANAGEMENT_PASSWORD", "wrong")
    assert camera("list") == 69
    assert "401" in capsys.readouterr().err
    monkeypatch.delenv("MASKGATE_MANAGEMENT_PASSWORD")
    assert camera("list") == 78
    assert "MASKGATE_MANAGEMENT_PASSWORD" in capsys.readouterr().err


def test_a_producer_says_which_camera_its_user_may_not_speak_for_and_exits(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    environment = {
        "MASKGATE_BROKER_URL": f"amqp://camera-yard@127.0.0.1:{rabbit.port}/%2F",
        "MASKGATE_BROKER_PASSWORD_FILE": str(tmp_path / "cameras" / "yard" / "broker"),
    }
    sending = ("producer", "synthetic", "--faces", "2", "--limit", "4", "--loop", "--camera")
    for line in (("lobby",), ("lobby", "--rate", "100"), ("yard", "--audit-drawn")):
        refused = done(*sending, *line, "--audit-every", "2", environment=environment)
        assert refused.returncode == 78, refused.stderr
        assert "maskgate camera add" in refused.stderr
        assert ("'live.lobby'" if "lobby" in line else "'audit'") in refused.stderr
        counts = json.loads(refused.stdout)["live"]
        assert counts["offered"] == counts["accepted"] + counts["refused"] + counts["in_doubt"]
    accepted = done(*sending, "yard", environment=environment)
    assert accepted.returncode == 0
    assert json.loads(accepted.stdout)["live"]["accepted"] == 4


@pytest.mark.usefixtures("installed_detector")
def test_a_filmed_camera_that_its_user_may_not_speak_for_ends_with_the_reason(
    camera: Command, rabbit: RabbitServer, tmp_path: Path
) -> None:
    assert camera("add", "yard") == 0
    environment = {
        "MASKGATE_BROKER_URL": f"amqp://camera-yard@127.0.0.1:{rabbit.port}/%2F",
        "MASKGATE_BROKER_PASSWORD_FILE": str(tmp_path / "cameras" / "yard" / "broker"),
    }
    video = tmp_path / "door.mp4"
    record(film("one_bare", 4), video, fps=10, seconds=3)
    line = ("producer", "video", str(video), "--loop", "--camera")
    refused = done(*line, "lobby", environment=environment)
    assert refused.returncode == 78, refused.stderr
    assert "maskgate camera add" in refused.stderr
    assert "'live.lobby'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_camera_that_is_not_registered_costs_nothing(
    camera: Command, rabbit: RabbitServer
) -> None:
    with pytest.raises(ProbableAuthenticationError):
        connected(rabbit, "any", "stranger")
    eventually(lambda: rabbit.depth(LIVE_QUEUE) == 0, what="an empty queue")
