"""Dead letters as the desk handles them, on a real broker with the rights of its user."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pika
import pytest

from desk.throughput.dead_letter_box import DeadLetterBox, Row, by_reason
from maskgate.operations.secrets import BROKER_RIGHTS, LIVE_KEYS
from maskgate.protocol.crop import Message
from maskgate.protocol.errors import BrokerError, Reason
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_EXCHANGE, DEAD_QUEUE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from worker.broker.dead_letters import DeadLetters

IDS = [f"{n:032x}" for n in range(4)]
BODY = b"P5 1 1 255\n\x00 a face"


def letter(crop_id: str | None, key: str, camera: str) -> Delivery:
    headers = {"camera_id": camera, "captured_at": 5}
    message = Message(BODY, "image/x-portable-graymap", "face-crop.v1", crop_id, headers, key)
    return Delivery(1, message, QueueKind.AUDIT if key == "audit" else QueueKind.LIVE)


@pytest.fixture
def box(rabbit: RabbitServer) -> DeadLetterBox:
    rabbit.ctl("add_user", "desk", "word")
    rabbit.ctl("set_permissions", "desk", *BROKER_RIGHTS["desk"])
    rabbit.ctl("set_topic_permissions", "desk", "crops", LIVE_KEYS["desk"], "^$")
    url = f"amqp://desk:word@127.0.0.1:{rabbit.port}/%2F"
    return DeadLetterBox(parameters(url, None, name="desk"))


@pytest.fixture
def dead(rabbit: RabbitServer) -> None:
    """Two live crops, an audit sample and something without an id; what is claimed is no text."""
    with closing(DeadLetters(parameters(rabbit.url, None, name="test"))) as letters:
        letters.send(letter(IDS[0], "live.door", "door"), LIVE_QUEUE, Reason.BAD_IMAGE)
        letters.send(letter(IDS[1], "live.hall", "hall"), LIVE_QUEUE, Reason.BAD_IMAGE)
        letters.send(letter(IDS[2], "audit", "<b>"), AUDIT_QUEUE, Reason.BAD_CAMERA_ID)
        letters.send(letter("<script>", "live.door", "door"), LIVE_QUEUE, Reason.BAD_CROP_ID)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="four dead letters")


def ignore(_: Row) -> None:
    pass


@pytest.mark.usefixtures("dead")
def test_letters_are_listed_with_reason_camera_and_time_and_stay(
    box: DeadLetterBox, rabbit: RabbitServer
) -> None:
    rows = box.rows()
    assert [(row.crop_id, row.camera_id, row.reason) for row in rows] == [
        (IDS[0], "door", "bad_image"),
        (IDS[1], "hall", "bad_image"),
        (IDS[2], None, "bad_camera_id"),
        (None, "door", "bad_crop_id"),
    ]
    assert by_reason(rows) == {"bad_image": 2, "bad_camera_id": 1, "bad_crop_id": 1}
    assert len({row.handle for row in rows}) == 4
    assert all(row.died_at_ms and row.body_bytes == len(BODY) for row in rows)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them back")
    assert {row.handle for row in box.rows()} == {row.handle for row in rows}


@pytest.mark.usefixtures("dead")
def test_one_is_given_back_another_deleted_each_after_it_was_written_down(
    box: DeadLetterBox, rabbit: RabbitServer
) -> None:
    rows, noted = box.rows(), list[Row]()
    assert box.requeue(noted.append, rows[1].handle).count == 1
    assert box.delete(noted.append, rows[3].handle).count == 1, "it has no valid id"
    assert noted == [rows[1], rows[3]]
    ((properties, body),) = rabbit.get(LIVE_QUEUE)
    assert (properties.message_id, body) == (IDS[1], BODY)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 2, what="two that stay")
    assert not box.delete(noted.append, rows[3].handle).found


@pytest.mark.usefixtures("dead")
def test_what_can_not_be_written_down_is_not_done(box: DeadLetterBox, rabbit: RabbitServer) -> None:
    def fail(_: Row) -> None:
        msg = "the disk is full"
        raise OSError(msg)

    row = box.rows()[0]
    for act in (box.requeue, box.delete):
        with pytest.raises((OSError, BrokerError), match="disk"):
            act(fail, row.handle)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them")
    assert rabbit.depth(LIVE_QUEUE) == 0


@pytest.mark.usefixtures("dead")
def test_all_are_given_back_but_those_that_nobody_takes(
    box: DeadLetterBox, rabbit: RabbitServer
) -> None:
    with rabbit.channel() as channel:
        channel.basic_publish(DEAD_EXCHANGE, "elsewhere", BODY, pika.BasicProperties())
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 5, what="the fifth")
    done = box.requeue(ignore)
    assert (done.count, done.refused) == (4, {"the queue it came from is unknown": 1})
    assert (rabbit.depth(LIVE_QUEUE), rabbit.depth(AUDIT_QUEUE)) == (3, 1)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 1, what="the one that stays")
    assert box.purge().count == 1
    assert rabbit.depth(DEAD_QUEUE) == 0


@pytest.mark.usefixtures("dead")
def test_two_people_who_look_at_the_same_time_see_all(box: DeadLetterBox) -> None:
    seen: list[int] = []
    looks: list[Callable[[], None]] = [lambda: seen.append(len(box.rows()))] * 6
    threads = [threading.Thread(target=look) for look in looks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [4] * 6


@pytest.fixture
def without_rights(rabbit: RabbitServer, box: DeadLetterBox) -> Iterator[DeadLetterBox]:
    rabbit.ctl("set_permissions", "desk", "^$", "^$", "^$")
    yield box
    rabbit.ctl("set_permissions", "desk", *BROKER_RIGHTS["desk"])


def test_without_the_right_it_says_so(without_rights: DeadLetterBox) -> None:
    with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
        without_rights.rows()
