"""Crops to label, from a real worker through a real broker."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from maskgate.inference.image import decode, encode_pnm
from maskgate.inference.limits import FILE_LIMITS
from maskgate.protocol.crop import Crop, Label, Message, new_crop_id, to_message
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.review import ReviewCrop, parse
from maskgate.protocol.topology import REVIEW_QUEUE
from maskgate.protocol.verdict import history_key
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.drawing import draw_face
from producer.rabbit import RabbitPublisher
from tests.servers.ports import eventually
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

#: The machine may be busy.
WAIT_S = 60
#: What the shipped model sees.
SEEN = (64, 64, 3)
FACE = encode_pnm(draw_face(np.random.default_rng(3), masked=True).pixels)


def publish(rabbit: RabbitServer, camera: str, count: int, label: Label | None = None) -> set[str]:
    """Publish crops, or audit samples, as a producer does.

    With confirms: a quorum queue may drop what was sent without, if the sender disconnects at once.
    """
    ids = [new_crop_id() for _ in range(count)]
    outlet = RabbitPublisher(parameters(rabbit.url, None, name="test"), stop=Stop(), patient=True)
    for crop_id in ids:
        body, kind = FACE
        crop = Crop(crop_id, camera, crop_id, now_ms(), kind, body, label=label)
        outlet.publish(to_message(crop), QueueKind.AUDIT if label else QueueKind.LIVE)
    outlet.flush(WAIT_S)
    accepted = outlet.live.accepted + outlet.audit.accepted
    outlet.close()
    assert accepted == count
    return set(ids)


def drawn(rabbit: RabbitServer) -> list[ReviewCrop]:
    return [
        parse(Message(body, p.content_type, p.type, p.message_id, p.headers))
        for p, body in rabbit.get(REVIEW_QUEUE)
    ]


def verdicts(redis: RedisServer, camera: str) -> int:
    """How many crops have an entry; a redelivered one has two."""
    with redis.client() as client:
        return len({fields["crop_id"] for _, fields in client.xrange(history_key(camera))})


def has_verdicts(redis: RedisServer, count: int) -> bool:
    return verdicts(redis, "lobby") == count


def samples(redis: RedisServer) -> int:
    with redis.client() as client:
        return sum(client.llen(key) for key in client.keys("audit:*:newest"))


@contextmanager
def worker(environment: dict[str, str], folder: Path, review: str | None) -> Iterator[Path]:
    if review is not None:
        (folder / "review.toml").write_text(review)
        environment = {**environment, "MASKGATE_REVIEW_FILE": str(folder / "review.toml")}
    log = folder / "worker.log"
    with running("worker", environment=environment, log=log):
        said(log, "broker.connected", timeout_s=WAIT_S)
        yield log


@contextmanager
def memory_alarm(rabbit: RabbitServer) -> Iterator[None]:
    usual = rabbit.ctl("eval", "vm_memory_monitor:get_vm_memory_high_watermark().").strip()
    rabbit.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        yield
    finally:
        rabbit.ctl("set_vm_memory_high_watermark", usual)


def test_the_share_that_a_site_asks_for_arrives_from_its_cameras_alone(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    rates = "[lobby]\nrandom = 0.3\nuncertain = 0.2\n"
    with worker(environment, tmp_path, rates):
        lobby = publish(rabbit, "lobby", 400)
        publish(rabbit, "yard", 100)
        publish(rabbit, "lobby", 50, Label.MASK)
        eventually(lambda: verdicts(redis, "lobby") == 400, WAIT_S, what="the lobby's verdicts")
        eventually(lambda: verdicts(redis, "yard") == 100, WAIT_S, what="the yard's verdicts")
        eventually(lambda: samples(redis) == 50, WAIT_S, what="the audit samples")
        spread = 5 * math.sqrt(400 * 0.3 * 0.7)
        eventually(
            lambda: rabbit.depth(REVIEW_QUEUE) > 120 - spread, WAIT_S, what="the drawn crops"
        )
    crops = drawn(rabbit)
    assert 120 - spread < len(crops) < 120 + spread
    assert {crop.crop_id for crop in crops} <= lobby
    assert len({crop.crop_id for crop in crops}) == len(crops)
    assert {crop.inclusion_probability for crop in crops} == {0.3}
    assert decode(crops[0].body, crops[0].content_type, FILE_LIMITS).shape == SEEN


def test_nothing_is_drawn_unless_a_site_asks_for_it(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    with worker(environment, tmp_path, None) as log:
        publish(rabbit, "lobby", 200)
        eventually(lambda: verdicts(redis, "lobby") == 200, WAIT_S, what="200 verdicts")
        connections = rabbit.ctl("list_connections", "name").strip().splitlines()
        assert "review" not in log.read_text()
    assert rabbit.depth(REVIEW_QUEUE) == 0
    assert len([line for line in connections if line.startswith("127.")]) == 1, "its consumer alone"


def test_a_broker_that_takes_no_crops_to_label_stops_no_verdict(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    publish(rabbit, "lobby", 1000)
    environment = {**environment, "MASKGATE_MAX_AGE_MS": "600000"}
    with memory_alarm(rabbit), worker(environment, tmp_path, "[lobby]\nrandom = 1.0\n"):
        eventually(lambda: verdicts(redis, "lobby") == 1000, WAIT_S, what="1,000 verdicts")
        assert rabbit.depth(REVIEW_QUEUE) == 0


def test_a_broker_that_refuses_crops_to_label_stops_no_verdict(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    rabbit.ctl("add_user", "old-worker", "word")
    rabbit.ctl("set_permissions", "old-worker", "^$", "^crops\\.dead$", "^crops\\.(live|audit)$")
    url = f"amqp://old-worker:word@127.0.0.1:{rabbit.port}/%2F"
    environment = {**environment, "MASKGATE_BROKER_URL": url}
    with worker(environment, tmp_path, "[lobby]\nrandom = 1.0\n") as log:
        for wanted in (50, 100):
            publish(rabbit, "lobby", 50)
            eventually(partial(has_verdicts, redis, wanted), WAIT_S, what=f"{wanted} verdicts")
        said(log, "review.lost", timeout_s=WAIT_S)
        assert "ACCESS_REFUSED" in log.read_text()
    assert rabbit.depth(REVIEW_QUEUE) == 0
