"""Dead letters as the desk handles them, on a real broker with the rights of its user."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pika
import pytest

from desk.access.roles import Role
from desk.throughput import dead_letter_view
from desk.throughput.dead_letter_box import DeadLetterBox, Row, by_reason
from maskgate.operations.rights import BROKER_RIGHTS, LIVE_KEYS
from maskgate.protocol.crop import Message
from maskgate.protocol.errors import BrokerError, Reason
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_EXCHANGE, DEAD_QUEUE, LIVE_QUEUE
from maskgate.runtime.broker import parameters
from tests.desk_pages import Browser, journal_in, served, text_of
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer
from tests.servers.rabbit_users import NOTHING, add_user
from worker.broker.dead_letters import DeadLetters

IDS = [f"{n:032x}" for n in range(4)]
BODY = b"P5 1 1 255\n\x00 a face"


def letter(crop_id: str | None, key: str, camera: str) -> Delivery:
    headers = {"camera_id": camera, "captured_at": 5}
    message = Message(BODY, "image/x-portable-graymap", "face-crop.v1", crop_id, headers, key)
    return Delivery(1, message, QueueKind.AUDIT if key == "audit" else QueueKind.LIVE)


@pytest.fixture
def box(rabbit: RabbitServer) -> DeadLetterBox:
    url = add_user(rabbit, "desk", BROKER_RIGHTS["desk"], LIVE_KEYS["desk"])
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
    rows = box.listing().rows
    assert [(row.crop_id, row.camera_id, row.reason) for row in rows] == [
        (IDS[0], "door", "bad_image"),
        (IDS[1], "hall", "bad_image"),
        (IDS[2], None, "bad_camera_id"),
        (None, "door", "bad_crop_id"),
    ]
    assert by_reason(rows) == {"bad_image": 2, "bad_camera_id": 1, "bad_crop_id": 1}
    assert len({row.handle for row in rows}) == 4
    assert (len(box.listing(limit=3).rows), box.listing(limit=3).total) == (3, 4)
    assert all(row.died_at_ms and row.body_bytes == len(BODY) for row in rows)
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them back")
    assert {row.handle for row in box.listing().rows} == {row.handle for row in rows}


@pytest.mark.usefixtures("dead")
def test_one_is_given_back_another_deleted_each_after_it_was_written_down(
    box: DeadLetterBox, rabbit: RabbitServer
) -> None:
    rows, noted = box.listing().rows, list[Row]()
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

    row = box.listing().rows[0]
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
    looks: list[Callable[[], None]] = [lambda: seen.append(len(box.listing().rows))] * 6
    threads = [threading.Thread(target=look) for look in looks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [4] * 6


def test_a_user_whom_the_broker_refuses_is_told_so(rabbit: RabbitServer) -> None:
    url = f"amqp://desk:wrong@127.0.0.1:{rabbit.port}/%2F"
    with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
        DeadLetterBox(parameters(url, None, name="desk")).listing()
    url = add_user(rabbit, "onlooker", (NOTHING, NOTHING, NOTHING))
    with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
        DeadLetterBox(parameters(url, None, name="desk")).listing()


PAGE = dead_letter_view.PATH


@pytest.fixture
def operator(box: DeadLetterBox, tmp_path: Path) -> Iterator[Browser]:
    routes = dead_letter_view.routes(box, journal_in(tmp_path))
    with served(tmp_path, routes, Role.OPERATOR) as browser:
        yield browser


def done(tmp_path: Path) -> list[dict[str, object]]:
    return journal_in(tmp_path).newest(100)[::-1]


@pytest.mark.usefixtures("dead")
def test_the_page_lists_letters_without_any_picture_and_with_text_as_text(
    operator: Browser,
) -> None:
    html = operator.page(PAGE)
    text = text_of(html)
    assert "bad_image 2 bad_camera_id 1 bad_crop_id 1" in text
    assert re.search(rf"bad_image door \d+\.?\d? s {IDS[0]} crops\.live {len(BODY)} ", text)
    assert "no valid id" in text
    assert not [part for part in ("<script>", "<b>", "a face", "P5 1") if part in html]
    assert [tag for tag in ("<img", "data:", "base64") if tag in html] == ["<img"], "the icon alone"


@pytest.mark.usefixtures("dead")
def test_an_operator_gives_back_one_and_deletes_one_and_the_journal_says_so(
    operator: Browser, box: DeadLetterBox, rabbit: RabbitServer, tmp_path: Path
) -> None:
    rows, token = box.listing().rows, operator.token(PAGE)
    for action, row, told in (("requeue", rows[0], "given back"), ("delete", rows[3], "deleted")):
        answer = operator.post(f"{PAGE}/{action}", data={"csrf": token, "letter": row.handle})
        assert answer.status_code == 303
        assert f"1 {told}" in text_of(operator.page(answer.headers["location"]))
        again = operator.post(f"{PAGE}/{action}", data={"csrf": token, "letter": row.handle})
        assert again.status_code == 404
    assert [each[0].message_id for each in rabbit.get(LIVE_QUEUE)] == [IDS[0]]
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 2, what="two that stay")
    first, second = done(tmp_path)
    assert (first["who"], first["action"]) == ("ann", "dead_letter_requeued")
    assert (first["crop_id"], first["camera_id"], first["reason"]) == (IDS[0], "door", "bad_image")
    assert (second["action"], second["handle"]) == ("dead_letter_deleted", rows[3].handle)


@pytest.mark.usefixtures("dead")
def test_all_are_given_back_then_deleted(
    operator: Browser, rabbit: RabbitServer, tmp_path: Path
) -> None:
    with rabbit.channel() as channel:
        channel.basic_publish(DEAD_EXCHANGE, "elsewhere", BODY, pika.BasicProperties())
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 5, what="the fifth")
    form = {"csrf": operator.token(PAGE), "letter": "all"}
    answer = operator.post(f"{PAGE}/requeue", data=form)
    assert answer.status_code == 409
    assert "1 not given back: the queue it came from is unknown" in text_of(answer.text)
    assert rabbit.depth(LIVE_QUEUE) == 3
    assert operator.post(f"{PAGE}/delete", data=form).headers["location"] == f"{PAGE}?deleted=1"
    assert rabbit.depth(DEAD_QUEUE) == 0
    assert "There are none" in operator.page(PAGE)
    actions = [(line["action"], line["letters"]) for line in done(tmp_path)]
    assert actions == [("dead_letters_requeued", "all"), ("dead_letters_deleted", "all")]


@pytest.mark.usefixtures("dead")
def test_nothing_is_done_without_a_token_or_a_letter_or_by_others_than_operators(
    operator: Browser, box: DeadLetterBox, rabbit: RabbitServer, tmp_path: Path
) -> None:
    token = operator.token(PAGE)
    forms = [
        ({"letter": "all"}, 403),
        ({"csrf": "0" * 64, "letter": "all"}, 403),
        ({"csrf": token}, 400),
    ]
    for path in (f"{PAGE}/requeue", f"{PAGE}/delete"):
        for form, status in forms:
            assert operator.post(path, data=form).status_code == status
        assert operator.get(path).status_code == 405
    for role in (Role.VIEWER, Role.LABELLER):
        folder = tmp_path / role.label
        folder.mkdir()
        routes = dead_letter_view.routes(box, journal_in(folder))
        with served(folder, routes, role) as other:
            assert other.get(PAGE).status_code == 403
            form = {"csrf": "x", "letter": "all"}
            assert other.post(f"{PAGE}/delete", data=form).status_code == 403
        assert done(folder) == []
    assert done(tmp_path) == []
    eventually(lambda: rabbit.depth(DEAD_QUEUE) == 4, what="all of them")
