"""The memory of a worker and of the broker's queues under the largest messages there are."""

import json
import math
import re
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pika
import pytest
import yaml

from maskgate.inference.card import InputShape
from maskgate.inference.image import JPEG, PGM, PPM
from maskgate.inference.limits import crop_limits
from maskgate.operations.topology import DEFINITIONS
from maskgate.protocol.crop import MAX_BODY_BYTES
from maskgate.protocol.topology import AUDIT_QUEUE, LIVE_QUEUE
from maskgate.protocol.verdict import history_key
from tests.faults.proxy import FaultProxy
from tests.faults.test_hostile import confirmed, publish
from tests.servers.ports import eventually
from tests.servers.processes import ROOT, running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer
from worker.broker.rabbit import AUDIT_PREFETCH
from worker.settings import WorkerSettings

#: Many of these arrive in one read, so that a window fills up and grows.
SMALL = b"P5 1 1 255\n\0", PGM
LABELLED = {"camera_id": "door", "captured_at": 1_790_000_000_000, "label": "mask"}
LARGEST = MAX_BODY_BYTES
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DEFINED = json.loads(DEFINITIONS.read_bytes())
LIVE_WINDOW = WorkerSettings.model_fields["prefetch"].default
#: Of the container's limit, for what one more version of a library needs.
ROOM_MIB = 24


def largest_jpeg() -> bytes:
    """As many pixels and as many bytes as a message may have."""
    side = math.isqrt(crop_limits(InputShape(64, 64, 3)).pixels)
    encoded = cv2.imencode(".jpg", np.zeros((side, side, 3), np.uint8))[1].tobytes()
    return encoded + bytes(LARGEST - len(encoded))


def largest_ppm() -> bytes:
    side = math.isqrt((LARGEST - 16) // 3)
    pixels = b"P6 %d %d 255\n" % (side, side) + bytes(side * side * 3)
    return pixels + bytes(LARGEST - len(pixels))


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def test_a_worker_with_full_windows_of_the_largest_crops_stays_below_its_container(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    limit_mib = int(SERVICES["worker"]["mem_limit"].removesuffix("m"))
    held_mib = (LIVE_WINDOW + AUDIT_PREFETCH) * LARGEST / 2**20
    log, large = tmp_path / "log", [(largest_jpeg(), JPEG), (largest_ppm(), PPM)]
    with FaultProxy(redis.port) as proxy, redis.client() as client:
        url = redis.url.replace(str(redis.port), str(proxy.port))
        with confirmed(rabbit) as channel:
            for i in range(1500):  # so that both windows grow
                publish(channel, *SMALL)
                if i < 100:
                    publish(channel, *SMALL, audit=True, headers=LABELLED)
        without_redis = {**environment, "MASKGATE_REDIS_URL": url}
        with running("worker", environment=without_redis, log=log) as worker:
            eventually(lambda: client.xlen(history_key("door")) == 1500, 60, "the small crops")
            eventually(lambda: rabbit.depth(AUDIT_QUEUE) == 0, 60, "the small samples")
            proxy.refuse()
            said(log, "redis.lost")
            before_mib = peak_mib(worker.pid)
            with confirmed(rabbit) as channel:
                for i in range(LIVE_WINDOW + 20):
                    body, content_type = large[i % 2]
                    publish(channel, body, content_type)
                    if i < AUDIT_PREFETCH + 20:
                        publish(channel, body, content_type, audit=True, headers=LABELLED)
            eventually(lambda: rabbit.depth(LIVE_QUEUE) == 20, 30, "a full live window")
            eventually(lambda: rabbit.depth(AUDIT_QUEUE) == 20, 30, "a full audit window")
            eventually(
                lambda: peak_mib(worker.pid) - before_mib > held_mib * 0.9, 90, "all of it read"
            )
            assert worker.poll() is None
            peak = peak_mib(worker.pid)
    print(f"\n{peak:.0f} MiB of {limit_mib}; {before_mib:.0f} with small crops")
    assert peak < limit_mib - ROOM_MIB


def test_a_larger_message_does_not_pass_the_broker(rabbit: RabbitServer) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught, confirmed(rabbit) as sent:
        publish(sent, bytes(LARGEST + 1), PPM)
    assert caught.value.reply_code == 406
    with confirmed(rabbit) as channel:
        publish(channel, bytes(LARGEST), PPM)
    assert rabbit.depth(LIVE_QUEUE) == 1


@pytest.mark.parametrize("name", ["crops.live", "crops.audit", "crops.dead"])
def test_every_queue_is_limited_in_bytes(name: str) -> None:
    policies = {each["name"]: each["definition"] for each in DEFINED["policies"]}
    limits = policies[name]
    assert limits["max-length-bytes"] >= 12_300 * min(limits["max-length"], 5000), (
        "fewer crops of the producer's size than the queue's length"
    )


def test_all_full_queues_fit_on_the_disk_that_is_kept_free() -> None:
    config = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
    kept_mb = int(re.findall(r"disk_free_limit.absolute = (\d+)MB", config)[0])
    total = sum(each["definition"]["max-length-bytes"] for each in DEFINED["policies"])
    assert total < kept_mb * 1_000_000


def test_a_queue_of_the_largest_crops_is_full_by_its_bytes(rabbit: RabbitServer) -> None:
    limit = next(p for p in DEFINED["policies"] if p["name"] == AUDIT_QUEUE)["definition"]
    most = limit["max-length-bytes"] // LARGEST
    body = bytes(LARGEST)
    with confirmed(rabbit) as channel, suppress(pika.exceptions.NackError):
        for _ in range(most + 20):
            publish(channel, body, PPM, audit=True)
    assert most - 10 <= rabbit.depth(AUDIT_QUEUE) <= most + 10
