"""All hostile crops, among valid ones, through a real broker into a real worker."""

import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pika
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import PNG, decode
from maskgate.inference.limits import crop_limits
from maskgate.protocol.crop import MAX_BODY_BYTES, new_crop_id
from maskgate.protocol.errors import Reason, UnreadableCropError
from maskgate.protocol.topology import (
    AUDIT_EXCHANGE,
    AUDIT_KEY,
    AUDIT_QUEUE,
    DEAD_QUEUE,
    LIVE_EXCHANGE,
    LIVE_QUEUE,
    live_key,
)
from maskgate.protocol.verdict import history_key
from maskgate.runtime import pika_internals
from maskgate.runtime.clock import now_ms
from tests.faults.hostile import FACE, IMAGES, Hostile
from tests.faults.hostile_messages import DOOR, MESSAGES, RawTable, encode_or_pass, field
from tests.faults.load import bodies
from tests.faults.poisoned_worker import POISON
from tests.servers.ports import eventually, free_port
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

GOOD = bodies(1)[0]
LIMITS = crop_limits(InputShape(64, 64, 3))
#: The codec gets what is behind the end of a picture, too.
POISONED_PNG = next(case.body for case in IMAGES if case.name == "all black") + POISON
#: After which valid crops the poison is sent: in the middle of a prefetch window, so that the
#: worker also holds valid crops behind it whenever it dies.
POISONED = (98, 125)
#: Every key that a worker may write for this camera, or for a crop without a valid camera.
KEYS = re.compile(
    r"verdict:\{door\}(:[A-Za-z0-9_-]{1,64})?|(verdicts|tracks):\{(door|\?)\}|worker:alive"
    r"|worker:attempts:[0-9a-f]{32}"
    r"|audit:\{[A-Za-z0-9._-]+\}:(seen|newest|(day|cameras):[0-9-]{10}|hour:[0-9T-]{13})"
    r"|audit:models|models:workers|cameras"
    r"|scores:(\{door\}:(seen|hour:[0-9T-]{13})|flushes:[0-9a-f]{16})"
)


@pytest.fixture(autouse=True)
def raw_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    pika_internals.install()  # the tests read these headers back
    monkeypatch.setattr(pika.data, "encode_table", encode_or_pass)


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name)
def test_an_image_is_decoded_or_unreadable_for_its_reason(case: Hostile) -> None:
    if case.reason is None:
        assert decode(case.body, case.content_type, LIMITS).size > 0
        return
    with pytest.raises(UnreadableCropError) as caught:
        decode(case.body, case.content_type, LIMITS)
    assert caught.value.reason is case.reason


def test_an_image_is_rotated_by_its_exif_orientation() -> None:
    turned = next(case for case in IMAGES if case.name == "EXIF-rotated")
    seen = decode(turned.body, turned.content_type, LIMITS).astype(int)
    assert abs(seen - np.rot90(FACE, -1)).mean() < 10 < abs(seen - FACE).mean()


def publish(
    channel: Any, body: bytes, content_type: str, *, audit: bool = False, **changes: object
) -> str:
    crop_id = new_crop_id()
    properties: dict[str, Any] = {
        "content_type": content_type,
        "type": "face-crop.v1",
        "message_id": crop_id,
        "delivery_mode": 2,
        "headers": {"camera_id": "door", "captured_at": now_ms()},
        **changes,
    }
    where = (AUDIT_EXCHANGE, AUDIT_KEY) if audit else (LIVE_EXCHANGE, live_key("door"))
    channel.basic_publish(*where, body, pika.BasicProperties(**properties), mandatory=True)
    return crop_id


def history(redis: RedisServer) -> list[dict[str, str]]:
    with redis.client() as client:
        entries: list[Any] = [
            entry for camera in ("door", "?") for entry in client.xrange(history_key(camera))
        ]
    return [fields for _, fields in entries]


def ends(redis: RedisServer) -> dict[str, tuple[str, str]]:
    return {fields["crop_id"]: (fields["outcome"], fields["reason"]) for fields in history(redis)}


def reason_of(properties: Any) -> str | None:
    return (properties.headers or {}).get("dead_reason")


@contextmanager
def confirmed(rabbit: RabbitServer) -> Iterator[Any]:
    with rabbit.channel() as channel:
        channel.confirm_delivery()  # publishing now waits for the broker's confirm, or raises
        yield channel


def test_hostile_crops_are_accounted_for_and_honest_ones_get_their_verdicts(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    log, port, good = tmp_path / "worker.log", free_port(), []
    expected: dict[str, tuple[str, str]] = {}
    decoded: set[str] = set()
    by_broker: dict[str, str] = {}
    with confirmed(rabbit) as channel:
        # A body over the limit does not pass the broker: see test_memory.py.
        for case in (each for each in IMAGES if len(each.body) <= MAX_BODY_BYTES):
            good.append(publish(channel, GOOD.content, GOOD.content_type))
            crop_id = publish(channel, case.body, case.content_type)
            if case.reason is not None:
                expected[crop_id] = ("unreadable", case.reason)
            else:
                decoded.add(crop_id)
        for name, (changes, reason) in MESSAGES.items():
            good.append(publish(channel, GOOD.content, GOOD.content_type))
            crop_id = publish(
                channel, GOOD.content, **{"content_type": GOOD.content_type, **changes}
            )
            if reason is None:
                by_broker[crop_id] = name
            else:
                expected[crop_id] = (
                    "expired" if reason is Reason.TOO_OLD else "unreadable",
                    reason,
                )
        labelled = {"camera_id": "door", "captured_at": now_ms(), "label": "maybe"}
        unknown_label = publish(
            channel, GOOD.content, GOOD.content_type, audit=True, headers=labelled
        )
        good.append(publish(channel, GOOD.content, GOOD.content_type))
    rejected = {
        crop_id for crop_id, (outcome, _) in expected.items() if outcome == "unreadable"
    } | {unknown_label}
    dead: dict[str, str | None] = {}

    def all_dead() -> bool:
        dead.update({p.message_id: reason_of(p) for p, _ in rabbit.get(DEAD_QUEUE)})
        return len(dead) >= len(rejected)

    # A long interval keeps regular log lines few, so that the limit below detects a flood.
    asked = {**environment, "MASKGATE_METRICS_PORT": str(port), "MASKGATE_REPORT_INTERVAL_S": "10"}
    with running("worker", environment=asked, log=log) as worker:
        eventually(
            lambda: expected.keys() | decoded | set(good) <= ends(redis).keys(),
            90,
            "an outcome of every crop",
        )
        eventually(all_dead, 60, "the dead letters")
        assert worker.poll() is None, "the worker has exited"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            assert answer.status == 200
    reported = ends(redis)
    assert len(reported) == len(history(redis)), "a crop has two outcomes although no worker died"
    assert reported.keys() == expected.keys() | decoded | set(good), (
        "an outcome of a crop that was not sent or that the broker expired"
    )
    assert {reported[crop_id][0] for crop_id in good} == {GOOD.outcome}
    assert {reported[crop_id][0] for crop_id in decoded} <= {"mask", "no_mask", "uncertain"}
    assert {crop_id: reported[crop_id] for crop_id in expected} == expected
    # The broker deletes what its sender lets expire: nothing but the sender says so.
    assert list(by_broker.values()) == ["expiration 0"]
    assert set(dead) == rejected
    assert {crop_id: dead[crop_id] for crop_id in rejected & expected.keys()} == {
        crop_id: reason
        for crop_id, (outcome, reason) in expected.items()
        if outcome == "unreadable"
    }
    assert rabbit.depth(LIVE_QUEUE) == rabbit.depth(AUDIT_QUEUE) == 0
    with redis.client() as client:
        assert [key for key in client.scan_iter() if not KEYS.fullmatch(key)] == [], (
            "a key that the contract does not allow"
        )
        (counted,) = [client.hgetall(key) for key in client.scan_iter("audit:*:day:*")]
        assert counted == {"unreadable": "1"}
    text = log.read_text()
    assert "libpng" not in text, "a codec wrote to the worker's log"
    assert len(text.splitlines()) < 60


def test_crops_made_to_be_slow_do_not_keep_honest_ones_waiting(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    slow = [
        case for case in IMAGES if case.name in ("JPEG of 14,929 scans", "PNG with thirty zTXt")
    ]
    expected: dict[str, tuple[str, str]] = {}
    with (
        running("worker", environment=environment, log=tmp_path / "worker.log") as worker,
        confirmed(rabbit) as channel,
    ):
        for case in slow * 5:
            crop_id = publish(channel, case.body, case.content_type)
            expected[crop_id] = ("unreadable", "unsupported_image")
            expected[publish(channel, GOOD.content, GOOD.content_type)] = (str(GOOD.outcome), "")
        # Decoded, these bodies would take more than a minute of processor time.
        eventually(lambda: expected.keys() <= ends(redis).keys(), 30, "an outcome of every crop")
        assert worker.poll() is None
    assert ends(redis) == expected


@contextmanager
def _larger_messages(rabbit: RabbitServer) -> Iterator[None]:
    """A broker of a site that did not limit them."""
    limit = "application:set_env(rabbit, max_message_size, {})."
    rabbit.ctl("eval", limit.format(2 * MAX_BODY_BYTES))
    try:
        yield
    finally:
        rabbit.ctl("eval", limit.format(MAX_BODY_BYTES))


def test_a_body_over_the_limit_never_reaches_the_codec(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    body = POISONED_PNG + bytes(MAX_BODY_BYTES + 1 - len(POISONED_PNG))
    log = tmp_path / "worker.log"
    with (
        _larger_messages(rabbit),
        running("tests.faults.poisoned_worker", environment=environment, log=log) as worker,
        confirmed(rabbit) as channel,
    ):
        crop_id = publish(channel, body, PNG)
        eventually(lambda: crop_id in ends(redis), 30, "an outcome")
        assert ends(redis)[crop_id] == ("unreadable", "body_too_large")
        assert worker.poll() is None
        publish(channel, body[:-1], PNG)
        eventually(lambda: worker.poll() is not None, 30, "the death of a worker that decodes")


def test_a_time_that_is_no_number_does_not_pass_the_broker(rabbit: RabbitServer) -> None:
    nan = RawTable(DOOR + field(b"captured_at", b"d", b"\x7f\xf8" + bytes(6)))
    with pytest.raises(pika.exceptions.ConnectionClosed), confirmed(rabbit) as channel:
        publish(channel, GOOD.content, GOOD.content_type, headers=nan)
    assert rabbit.depth(LIVE_QUEUE) == 0


def test_a_crop_that_kills_workers_is_a_dead_letter_and_takes_no_neighbour_with_it(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    log, good, poison = tmp_path / "worker.log", [], []
    with confirmed(rabbit) as channel:
        for i in range(200):
            good.append(publish(channel, GOOD.content, GOOD.content_type))
            if i in POISONED:
                poison.append(publish(channel, POISONED_PNG, PNG))

    dead: dict[str, str | None] = {}

    def over() -> bool:
        dead.update({p.message_id: reason_of(p) for p, _ in rabbit.get(DEAD_QUEUE)})
        return set(poison) == dead.keys() and {*good, *poison} <= ends(redis).keys()

    deaths = 0
    while not over():
        assert deaths < 20, "after 20 deaths the poison is still in the queue"
        with running("tests.faults.poisoned_worker", environment=environment, log=log) as worker:
            eventually(lambda: worker.poll() is not None or over(), 40, "death or the last outcome")
            if worker.poll() is not None:
                assert worker.returncode == -signal.SIGKILL
                deaths += 1
    # Three each; the last was redelivered for another's death before it was tried.
    assert 4 <= deaths <= 6
    assert dead == dict.fromkeys(poison, "too_many_attempts")
    assert {ends(redis)[crop_id][0] for crop_id in good} == {GOOD.outcome}
    said(log, "broker.connected", deaths)


def test_as_many_cameras_crops_as_can_share_an_instant_each_count_for_their_own_track(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    at_ms = now_ms()
    with confirmed(rabbit) as channel:
        same = {"camera_id": "door", "captured_at": at_ms}
        first = publish(
            channel, GOOD.content, GOOD.content_type, headers={**same, "track_id": "one"}
        )
        second = publish(
            channel, GOOD.content, GOOD.content_type, headers={**same, "track_id": "two"}
        )
        publish(
            channel,
            GOOD.content,
            GOOD.content_type,
            headers={**same, "track_id": "one"},
            message_id=first,
        )
    with (
        running("worker", environment=environment, log=tmp_path / "worker.log"),
        redis.client() as client,
    ):
        eventually(lambda: client.xlen(history_key("door")) == 3, 30, "three outcomes")
        tracks = [client.hget(f"verdict:{{door}}:{track}", "crops") for track in ("one", "two")]
        assert tracks == ["1", "1"], "a crop that was delivered twice counts twice"
        # Time and caution are the same: the crop id decides, whatever the order.
        assert client.hget("verdict:{door}", "crop_id") == max(first, second)
