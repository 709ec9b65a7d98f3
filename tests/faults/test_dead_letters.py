"""Dead letters: what a sender may forge, workers that come and go, and outages."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maskgate.protocol.topology import DEAD_QUEUE, LIVE_QUEUE
from tests.faults.load import bodies
from tests.faults.proxy import FaultProxy
from tests.faults.test_hostile import confirmed, ends, publish
from tests.servers.ports import eventually
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

GOOD = bodies(1)[0]
#: More than RabbitMQ dead-letters at a time from one queue.
MANY = 40
#: What RabbitMQ's own dead-lettering reads, as a sender may forge it.
FORGED: dict[str, tuple[Any, str | None]] = {
    "in a circle": ([{"queue": DEAD_QUEUE, "reason": "expired"}], None),
    "in a circle, expiring": ([{"queue": DEAD_QUEUE, "reason": "expired"}], "1"),
    "malformed": ([1], None),
    "malformed, expiring": ([1], "1"),
}


def held(rabbit: RabbitServer, queue: str) -> int:
    """Messages that count towards the queue's limit, also those that wait for dead-lettering."""
    counts = dict(
        line.split("\t")
        for line in rabbit.ctl("list_queues", "--silent", "name", "messages").splitlines()
    )
    return int(counts[queue])


def taken(rabbit: RabbitServer, dead: dict[str, str]) -> dict[str, str]:
    for properties, _ in rabbit.get(DEAD_QUEUE):
        dead[properties.message_id] = properties.headers.get("dead_reason")
    return dead


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_forged_death_records_do_not_stop_dead_letters(
    forged: tuple[Any, str | None],
    environment: dict[str, str],
    rabbit: RabbitServer,
    redis: RedisServer,
    tmp_path: Path,
) -> None:
    x_death, expiration = forged
    headers = {"camera_id": "door", "captured_at": 1 << 60, "x-death": x_death}
    with confirmed(rabbit) as channel:
        hostile = {
            publish(
                channel,
                b"x",
                "image/bad",
                headers=headers,
                expiration=expiration,
            )
            for _ in range(MANY)
        }
        bad = {publish(channel, b"no picture", "image/jpeg") for _ in range(5)}
        good = publish(channel, GOOD.content, GOOD.content_type)
    dead: dict[str, str] = {}
    with running("worker", environment=environment, log=tmp_path / "log"):
        eventually(lambda: bad <= taken(rabbit, dead).keys(), 20, "the honest dead letters")
        eventually(lambda: good in ends(redis), 20, "the verdict")
        eventually(lambda: held(rabbit, LIVE_QUEUE) == 0, 20, "an empty queue")
    if expiration is None:
        assert dead.keys() == hostile | bad


def test_eight_restarts_make_no_dead_letter_of_a_healthy_crop(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    with confirmed(rabbit) as channel:
        sent = {publish(channel, GOOD.content, GOOD.content_type) for _ in range(20)}
    log = tmp_path / "log"
    with FaultProxy(redis.port) as proxy:
        proxy.refuse()
        url = redis.url.replace(str(redis.port), str(proxy.port))
        without_redis = {**environment, "MASKGATE_REDIS_URL": url}
        for restarts in range(1, 9):
            with running("worker", environment=without_redis, log=log) as worker:
                said(log, "broker.connected", restarts)
                eventually(lambda: rabbit.depth(LIVE_QUEUE) < 20, 20, "a crop in its window")
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(20) == 0
    with running("worker", environment=environment, log=log):
        eventually(lambda: ends(redis).keys() == sent, 30, "every crop's verdict")
    assert rabbit.depth(DEAD_QUEUE) == 0


@pytest.fixture
def impatient(rabbit: RabbitServer) -> Iterator[None]:
    """A broker that takes crops back from a worker that has not settled them for half a second."""
    asked = {"consumer_timeout": (500, 300_000), "channel_tick_interval": (200, 60_000)}
    for name, (short, _) in asked.items():
        rabbit.ctl("eval", f"application:set_env(rabbit, {name}, {short}).")
    yield
    for name, (_, usual) in asked.items():
        rabbit.ctl("eval", f"application:set_env(rabbit, {name}, {usual}).")


@pytest.mark.usefixtures("impatient")
def test_an_outage_of_eight_consumer_timeouts_makes_no_dead_letter(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with confirmed(rabbit) as channel:
        sent = {publish(channel, GOOD.content, GOOD.content_type) for _ in range(20)}
    with FaultProxy(redis.port) as proxy:
        proxy.refuse()
        url = redis.url.replace(str(redis.port), str(proxy.port))
        with running("worker", environment={**environment, "MASKGATE_REDIS_URL": url}, log=log):
            said(log, "broker.connected", 9, timeout_s=60)
            proxy.accept()
            eventually(lambda: ends(redis).keys() == sent, 30, "every crop's verdict")
    assert rabbit.depth(DEAD_QUEUE) == 0
