"""``python -m worker deadletters`` on a real broker, as the operator's user."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pika
import pytest

from maskgate.operations.secrets import BROKER_RIGHTS
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_EXCHANGE, DEAD_QUEUE, LIVE_QUEUE
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from worker.__main__ import main

IDS = [f"{n:032x}" for n in range(4)]
BODY = b"P5 1 1 255\n\x00 a face"
Command = Callable[..., int]


def _get(channel: Any, queue: str) -> Any:
    return channel.basic_get(queue)[0]


@pytest.fixture
def deadletters(rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, as the user whose rights ``maskgate/operations/secrets.py`` names."""
    rabbit.ctl("add_user", "operator", "word")
    rabbit.ctl("set_permissions", "operator", *BROKER_RIGHTS["operator"])
    monkeypatch.setenv("MASKGATE_BROKER_URL", f"amqp://operator:word@127.0.0.1:{rabbit.port}/%2F")
    return lambda *arguments: main(["deadletters", *arguments])


@pytest.fixture
def dead(rabbit: RabbitServer) -> None:
    """Two live crops, one audit sample and something without an id or headers, all rejected."""
    with rabbit.channel() as channel:
        for crop_id, exchange, key in (
            (IDS[0], "crops", "live.door"),
            (IDS[1], "crops", "live.door"),
            (IDS[2], "audit", "audit"),
        ):
            headers = {"camera_id": "door", "captured_at": 5, "label": "mask"}
            properties = pika.BasicProperties(
                "image/x-portable-graymap", message_id=crop_id, type="face-crop.v1", headers=headers
            )
            channel.basic_publish(exchange, key, BODY, properties)
        channel.basic_publish("crops", "live.door", b"\x1b[31mred")
        for queue, count in ((LIVE_QUEUE, 3), (AUDIT_QUEUE, 1)):
            for _ in range(count):
                method = eventually(partial(_get, channel, queue), what="a crop")
                channel.basic_reject(method.delivery_tag, requeue=False)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="four dead letters")


@pytest.mark.usefixtures("dead")
def test_listing_tells_why_shows_no_body_and_changes_nothing(
    deadletters: Command, rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(
        30
    ):  # more often than RabbitMQ 4 delivers a message that comes back, if no policy says otherwise
        assert deadletters("list", "--json") == 0
    reported = capsys.readouterr().out
    last = {row["crop_id"]: row for row in map(json.loads, reported.splitlines()[-4:])}
    assert {(row["queue"], row["reason"], row["problem"]) for row in last.values()} == {
        (LIVE_QUEUE, "rejected", "unexpected_label"),
        (LIVE_QUEUE, "rejected", "wrong_type"),
        (AUDIT_QUEUE, "rejected", None),
    }
    assert last[IDS[0]]["camera_id"] == "door"
    assert last[IDS[0]]["body_bytes"] == len(BODY)
    assert deadletters("list") == 0
    reported += capsys.readouterr().out
    assert not [part for part in ("P5", "a face", "\x1b") if part in reported]
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them back")


@pytest.mark.usefixtures("dead")
def test_a_crop_that_is_given_back_is_in_its_queue_as_it_was_and_dead_no_more(
    deadletters: Command, rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deadletters("requeue", "--crop-id", IDS[1], "--crop-id", IDS[3]) == 69
    assert f"{IDS[3]!r}: no such dead letter" in capsys.readouterr().out
    ((properties, body),) = rabbit.get(LIVE_QUEUE)
    assert (properties.message_id, body) == (IDS[1], BODY)
    assert properties.headers == {
        "camera_id": "door",
        "captured_at": 5,
        "label": "mask",
        "x-delivery-count": 0,
    }
    assert deadletters("requeue", "--all") == 0
    assert "3 of 3 requeued" in capsys.readouterr().out
    assert len(rabbit.get(LIVE_QUEUE)) == 2
    assert rabbit.get(AUDIT_QUEUE)[0][0].message_id == IDS[2]
    assert rabbit.depth(DEAD_QUEUE) == 0


@pytest.mark.usefixtures("dead")
def test_a_crop_goes_back_under_its_senders_key_whatever_its_headers_say(
    deadletters: Command, rabbit: RabbitServer
) -> None:
    forged = {"x-death": [{"queue": "crops.audit", "routing-keys": ["audit", "live.other"]}]}
    with rabbit.channel() as channel:
        channel.basic_publish(
            DEAD_EXCHANGE, "live.door", BODY, pika.BasicProperties(message_id="f", headers=forged)
        )
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 5, what="the fifth dead letter")
    assert deadletters("requeue", "--all") == 0
    with rabbit.channel() as channel:
        keys = {_get(channel, LIVE_QUEUE).routing_key for _ in range(4)}
        assert keys == {"live.door"}
        assert _get(channel, AUDIT_QUEUE).routing_key == "audit"


@pytest.mark.usefixtures("dead")
def test_a_queue_that_does_not_take_it_leaves_it_dead(
    deadletters: Command, rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with rabbit.channel() as channel:
        channel.queue_unbind(LIVE_QUEUE, "crops", "live.*")
    try:
        assert deadletters("requeue", "--crop-id", IDS[0]) == 69
    finally:
        with rabbit.channel() as channel:
            channel.queue_bind(LIVE_QUEUE, "crops", "live.*")
    assert f"{IDS[0]}: not requeued" in capsys.readouterr().out
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them still there")


@pytest.mark.usefixtures("dead")
def test_purging_deletes_them_all(
    deadletters: Command, rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deadletters("purge", "--yes") == 0
    assert capsys.readouterr().out == "4 deleted\n"
    assert rabbit.depth(DEAD_QUEUE) == 0


def test_without_a_broker_or_rights_it_says_so(
    deadletters: Command,
    rabbit: RabbitServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rabbit.ctl("set_permissions", "operator", "^$", "^$", "^$")
    assert deadletters("list") == 69
    assert "ACCESS_REFUSED" in capsys.readouterr().err
    monkeypatch.setenv("MASKGATE_BROKER_URL", "amqp://operator:word@127.0.0.1:1/%2F")
    assert deadletters("list") == 69
