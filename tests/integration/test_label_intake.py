"""From the queue of crops to label into the desk's store, with a real broker."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from desk.labels.deletion import delete
from desk.labels.intake import LabelIntake
from desk.labels.key import Key
from desk.labels.store import LabelStore
from desk.labels.tombstones import Scope
from maskgate.operations.rights import BROKER_RIGHTS
from maskgate.protocol.crop import Message
from maskgate.protocol.review import ReviewCrop, to_message
from maskgate.protocol.topology import REVIEW_EXCHANGE, REVIEW_KEY, REVIEW_QUEUE
from maskgate.runtime.broker import parameters
from maskgate.runtime.message_properties import to_properties
from tests.review_crops import NOW_MS, review_crop
from tests.servers.ports import eventually
from tests.servers.rabbit_server import RabbitServer

WAIT_S = 60


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    store = LabelStore(tmp_path, Key(bytes(32)), clock=lambda: NOW_MS)
    yield store
    store.close()


@pytest.fixture
def intake(store: LabelStore, rabbit: RabbitServer) -> LabelIntake:
    """The intake, as the user whose rights ``maskgate/operations/rights.py`` names."""
    rabbit.ctl("add_user", "desk", "word")
    rabbit.ctl("set_permissions", "desk", *BROKER_RIGHTS["desk"])
    url = f"amqp://desk:word@127.0.0.1:{rabbit.port}/%2F"
    return LabelIntake(store, parameters(url, None, name="test"))


def send(rabbit: RabbitServer, *messages: Message) -> None:
    with rabbit.channel() as channel:
        channel.confirm_delivery()
        for each in messages:
            channel.basic_publish(REVIEW_EXCHANGE, REVIEW_KEY, each.body, to_properties(each))


def unacknowledged(rabbit: RabbitServer) -> str:
    lines = rabbit.ctl("list_queues", "name", "messages").splitlines()
    return next(line.split()[1] for line in lines if line.startswith(REVIEW_QUEUE))


def test_what_arrives_is_stored_once_and_acknowledged_whatever_it_is(
    rabbit: RabbitServer, store: LabelStore, intake: LabelIntake
) -> None:
    crops = [review_crop() for _ in range(20)]
    gone = review_crop()
    delete(store, Scope.CROP, gone.crop_id)
    good: list[ReviewCrop] = [*crops, crops[0], gone, review_crop(keep_until_ms=NOW_MS)]
    no_picture = to_message(review_crop(body=b"P6 9 9 255\nshort"))
    no_camera = msgspec.structs.replace(no_picture, headers={})
    send(rabbit, *map(to_message, good), no_picture, no_camera)
    with intake:
        eventually(lambda: intake.counts.total() == 25, WAIT_S, "25 messages")
    assert intake.counts == {"stored": 20, "known": 1, "deleted": 1, "expired": 1, "unreadable": 2}
    assert store.count() == 20
    assert all(store.pictures.read(crop.crop_id) == crop.body for crop in crops)
    eventually(lambda: unacknowledged(rabbit) == "0", WAIT_S, "an empty queue")


def test_a_crop_that_can_not_be_written_stays_in_the_queue(
    rabbit: RabbitServer,
    store: LabelStore,
    intake: LabelIntake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed: list[str] = []
    add = store.add

    def add_later(crop: ReviewCrop) -> object:
        if len(failed) < 3:
            failed.append(crop.crop_id)
            msg = "disk full"
            raise sqlite3.OperationalError(msg)
        return add(crop)

    monkeypatch.setattr(store, "add", add_later)
    crops = [review_crop() for _ in range(5)]
    send(rabbit, *map(to_message, crops))
    with intake:
        eventually(lambda: store.count() == 5, WAIT_S, "the crops after the trouble")
    assert len(failed) == 3
    assert intake.counts == {"stored": 5}


def test_the_queue_drops_the_oldest_and_never_refuses_a_worker(rabbit: RabbitServer) -> None:
    rabbit.ctl(
        "set_policy",
        "small",
        f"^{REVIEW_QUEUE}$",
        '{"max-length": 10, "overflow": "drop-head"}',
        "--priority",
        "9",
        "--apply-to",
        "queues",
    )
    try:
        crops = [review_crop() for _ in range(30)]
        send(rabbit, *map(to_message, crops))  # with confirms: a refusal would raise
        eventually(lambda: rabbit.depth(REVIEW_QUEUE) == 10, WAIT_S, "the limit")
        kept = [properties.message_id for properties, _ in rabbit.get(REVIEW_QUEUE)]
        assert kept == [crop.crop_id for crop in crops[-10:]]
    finally:
        rabbit.ctl("clear_policy", "small")
