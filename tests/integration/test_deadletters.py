"""``python -m worker deadletters`` on a real broker, as the operator's user."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pika
import pytest

from maskgate.operations.rights import BROKER_RIGHTS
from maskgate.protocol.crop import MAX_BODY_BYTES, Message
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_EXCHANGE, DEAD_QUEUE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from worker.__main__ import main
from worker.broker.dead_letters import DeadLetters

IDS = [f"{n:032x}" for n in range(4)]
BODY = b"P5 1 1 255\n\x00 a face"
Command = Callable[..., int]


def _get(channel: Any, queue: str) -> Any:
    return channel.basic_get(queue)[0]


@pytest.fixture
def deadletters(rabbit: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, as the user whose rights ``maskgate/operations/rights.py`` names."""
    rabbit.ctl("add_user", "operator", "word")
    rabbit.ctl("set_permissions", "operator", *BROKER_RIGHTS["operator"])
    monkeypatch.setenv("MASKGATE_BROKER_URL", f"amqp://operator:word@127.0.0.1:{rabbit.port}/%2F")
    return lambda *arguments: main(["deadletters", *arguments])


def letter(crop_id: str | None, kind: QueueKind, body: bytes = BODY) -> Delivery:
    headers = {"camera_id": "door", "captured_at": 5, "label": "mask", "x-death": [1], "CC": "x"}
    key = "audit" if kind is QueueKind.AUDIT else "live.door"
    message = Message(body, "image/x-portable-graymap", "face-crop.v1", crop_id, headers, key)
    return Delivery(1, message, kind)


@pytest.fixture
def dead(rabbit: RabbitServer) -> None:
    """Two live crops, one audit sample and something without an id or headers, all rejected."""
    letters = DeadLetters(parameters(rabbit.url, None, name="test"))
    for crop_id, kind, queue in (
        (IDS[0], QueueKind.LIVE, LIVE_QUEUE),
        (IDS[1], QueueKind.LIVE, LIVE_QUEUE),
        (IDS[2], QueueKind.AUDIT, AUDIT_QUEUE),
    ):
        letters.send(letter(crop_id, kind), queue, Reason.BAD_IMAGE)
    red = Delivery(1, Message(b"\x1b[31mred", routing_key="live.door"), QueueKind.LIVE)
    letters.send(red, LIVE_QUEUE, Reason.WRONG_TYPE)
    letters.close()
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
    assert {(row["queue"], row["reason"]) for row in last.values()} == {
        (LIVE_QUEUE, "bad_image"),
        (LIVE_QUEUE, "wrong_type"),
        (AUDIT_QUEUE, "bad_image"),
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
    # RabbitMQ 3.10 adds its count of deliveries.
    kept = {name: value for name, value in properties.headers.items() if name[:2] != "x-"}
    assert kept == {"camera_id": "door", "captured_at": 5, "label": "mask"}
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
def test_a_letter_that_can_not_go_back_stays_and_stops_no_other(
    deadletters: Command, rabbit: RabbitServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Letters with properties that the broker checks or acts on, before four plain ones."""
    plain = rabbit.get(DEAD_QUEUE)
    with rabbit.channel() as channel:
        marks = {"dead_from": LIVE_QUEUE, "BCC": [DEAD_QUEUE]}
        claimed = pika.BasicProperties(
            message_id=IDS[3], headers=marks, user_id="guest", expiration="600000", reply_to="x"
        )
        channel.basic_publish("crops.dead", "live.door", BODY, claimed)
        unknown = pika.BasicProperties(message_id="f" * 32, headers={"dead_from": "elsewhere"})
        channel.basic_publish("crops.dead", "elsewhere", BODY, unknown)
        for properties, body in plain:
            key = "audit" if properties.message_id == IDS[2] else "live.door"
            channel.basic_publish("crops.dead", key, body, properties)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 6, what="six dead letters")
    assert deadletters("requeue", "--all") == 69
    reported = capsys.readouterr().out
    assert "f" * 32 + ": not requeued, the queue it came from is unknown" in reported
    assert "5 of 6 requeued" in reported
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 1, what="the letter that stays")
    requeued = {properties.message_id: properties for properties, _ in rabbit.get(LIVE_QUEUE)}
    assert len(requeued) == 4
    back = requeued[IDS[3]]
    assert (back.user_id, back.expiration, back.reply_to) == (None, None, None)
    assert not {"BCC", "dead_from"} & back.headers.keys()


def test_listing_and_requeueing_hold_one_body_at_a_time(
    deadletters: Command, rabbit: RabbitServer
) -> None:
    letters = DeadLetters(parameters(rabbit.url, None, name="test"))
    for i in range(40):
        body = bytes(MAX_BODY_BYTES)
        letters.send(letter(f"{i:032x}", QueueKind.LIVE, body), LIVE_QUEUE, Reason.BAD_IMAGE)
    letters.close()
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 40, what="the dead letters")
    for arguments in (("list",), ("requeue", "--all")):
        tracemalloc.start()
        try:
            assert deadletters(*arguments) == 0
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 16 * MAX_BODY_BYTES, arguments


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
