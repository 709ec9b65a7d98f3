"""Everything that a stranger might send, through a real broker into a real worker, among crops of honest cameras."""

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pika
import pytest

from contract.crop import new_crop_id
from contract.errors import Reason, UnreadableCropError
from contract.image import PNG, decode
from contract.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE
from contract.verdict import history_key
from tests.faults.hostile import FACE, IMAGES, Hostile
from tests.faults.load import bodies
from tests.faults.poisoned_worker import POISON
from tests.servers.ports import eventually
from tests.servers.processes import running, said
from tests.servers.rabbit_server import RabbitServer
from tests.servers.redis_server import RedisServer

GOOD = bodies(1)[0]


class RawTable(dict[str, object]):
    """Headers as bytes that pika would never write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw=1)
        self.raw = raw


def field(name: bytes, kind: bytes, value: bytes) -> bytes:
    return struct.pack("B", len(name)) + name + kind + value


def nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = field(b"t", b"F", struct.pack(">I", len(table)) + table)
    return table


DOOR = field(b"camera_id", b"S", struct.pack(">I", 4) + b"door")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(autouse=True)
def raw_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = pika.data.encode_table

    def encode_or_pass(pieces: list[bytes], table: dict[str, object]) -> int:
        if not isinstance(table, RawTable):
            return int(encode(pieces, table))
        pieces += [struct.pack(">I", len(table.raw)), table.raw]
        return 4 + len(table.raw)

    monkeypatch.setattr(pika.data, "encode_table", encode_or_pass)


@pytest.fixture
def environment(rabbit: RabbitServer, redis: RedisServer) -> dict[str, str]:
    return {
        "MASKGATE_BROKER_URL": rabbit.url,
        "MASKGATE_REDIS_URL": redis.url,
        "MASKGATE_LOG_JSON": "true",
        "MASKGATE_VERDICT_TTL_MS": "600000",
        "MASKGATE_HISTORY_LENGTH": "100000",
    }


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name)
def test_an_image_is_decoded_or_unreadable_for_its_reason(case: Hostile) -> None:
    if case.reason is None:
        assert decode(case.body, case.content_type).size > 0
        return
    with pytest.raises(UnreadableCropError) as caught:
        decode(case.body, case.content_type)
    assert caught.value.reason is case.reason


def test_a_picture_is_turned_as_its_exif_says() -> None:
    turned = next(case for case in IMAGES if case.name == "EXIF-rotated")
    seen = decode(turned.body, turned.content_type).astype(int)
    assert abs(seen - np.rot90(FACE, -1)).mean() < 10 < abs(seen - FACE).mean()


#: Headers beside a good picture, and the reason they are unreadable for: None where the queue drops it.
MESSAGES: dict[str, tuple[dict[str, object], str | None]] = {
    "no headers": ({"headers": None}, Reason.BAD_CAMERA_ID),
    "bytes that are not UTF-8": ({"headers": {"camera_id": b"\xff\xfe", "captured_at": 1}}, Reason.BAD_CAMERA_ID),
    "text that is not UTF-8": (
        {"headers": RawTable(field(b"camera_id", b"S", struct.pack(">I", 2) + b"\xff\xfe"))},
        Reason.BAD_CAMERA_ID,
    ),
    "100 kB of headers": ({"headers": {"camera_id": "door", "captured_at": "x", "more": "y" * 100_000}}, Reason.BAD_CAPTURED_AT),
    "nested tables": ({"headers": {"camera_id": {"a": {"b": [1, {"c": None}]}}, "captured_at": 1}}, Reason.BAD_CAMERA_ID),
    "unknown version": ({"type": "face-crop.v9"}, Reason.WRONG_TYPE),
    "colon in the camera id": ({"headers": {"camera_id": "a:b", "captured_at": 1}}, Reason.BAD_CAMERA_ID),
    "braces in the camera id": ({"headers": {"camera_id": "a}{b", "captured_at": 1}}, Reason.BAD_CAMERA_ID),
    "newline in the camera id": ({"headers": {"camera_id": "door\n", "captured_at": 1}}, Reason.BAD_CAMERA_ID),
    "braces in the track id": ({"headers": {"camera_id": "door", "track_id": "{t}", "captured_at": 1}}, Reason.BAD_TRACK_ID),
    "captured in the future": ({"headers": {"camera_id": "door", "captured_at": now_ms() + 3_600_000}}, Reason.CAPTURED_IN_FUTURE),
    "captured in nanoseconds": ({"headers": {"camera_id": "door", "captured_at": time.time_ns()}}, Reason.BAD_CAPTURED_AT),
    "captured as text": ({"headers": {"camera_id": "door", "captured_at": "now"}}, Reason.BAD_CAPTURED_AT),
    "label on a live crop": ({"headers": {"camera_id": "door", "captured_at": 1, "label": "mask"}}, Reason.UNEXPECTED_LABEL),
    "timestamp out of range": ({"headers": RawTable(DOOR + field(b"captured_at", b"T", struct.pack(">Q", 1 << 62)))}, Reason.BAD_CAMERA_ID),
    "tables in tables in tables": ({"headers": RawTable(nested(5000))}, Reason.BAD_CAMERA_ID),
    "expiration 0": ({"expiration": "0"}, None),
}


def publish(channel: Any, body: bytes, content_type: str, **changes: object) -> str:  # noqa: ANN401  (pika has no types)
    crop_id = new_crop_id()
    properties: dict[str, Any] = {
        "content_type": content_type,
        "type": "face-crop.v1",
        "message_id": crop_id,
        "delivery_mode": 2,
        "headers": {"camera_id": "door", "captured_at": now_ms()},
        **changes,
    }
    channel.basic_publish("crops", "live", body, pika.BasicProperties(**properties), mandatory=True)
    return crop_id


def ends(redis: RedisServer) -> dict[str, tuple[str, str]]:
    with redis.client() as client:
        entries: list[Any] = [entry for camera in ("door", "?") for entry in client.xrange(history_key(camera))]
    return {fields["crop_id"]: (fields["outcome"], fields["reason"]) for _, fields in entries}


def reason_of(properties: Any) -> str | None:  # noqa: ANN401  (pika has no types)
    deaths = (properties.headers or {}).get("x-death")  # not there if the table could not be decoded
    return deaths[0]["reason"] if deaths else None


@contextmanager
def confirmed(rabbit: RabbitServer) -> Iterator[Any]:
    with rabbit.channel() as channel:
        channel.confirm_delivery()  # every publish below returns once the broker has it, or raises
        yield channel


def test_hostile_crops_are_accounted_for_and_honest_ones_get_their_verdicts(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    log, good, expected, by_broker = tmp_path / "worker.log", [], {}, {}
    with confirmed(rabbit) as channel:
        for case in IMAGES:
            print(case.name)
            good.append(publish(channel, GOOD.content, GOOD.content_type))
            expected[publish(channel, case.body, case.content_type)] = case.reason
        for name, (changes, reason) in MESSAGES.items():
            print(name)
            good.append(publish(channel, GOOD.content, GOOD.content_type))
            crop_id = publish(channel, GOOD.content, GOOD.content_type, **changes)
            if reason is None:
                by_broker[crop_id] = name
            else:
                expected[crop_id] = Reason(reason)
        good.append(publish(channel, GOOD.content, GOOD.content_type))
    with running("worker", environment=environment, log=log) as worker:
        eventually(lambda: good[-1] in ends(redis), 90, "the last honest crop's verdict")
        eventually(lambda: expected.keys() | set(good) <= ends(redis).keys(), 30, "every crop's end")
        told = ends(redis)
        dead: dict[str, str] = {}

        def all_dead() -> bool:
            dead.update({p.message_id: reason_of(p) for p, _ in rabbit.get(DEAD_QUEUE)})
            return len(dead) >= len(by_broker) + sum(reason is not None for reason in expected.values())

        eventually(all_dead, 60, "the dead letters")
        assert worker.poll() is None, "the worker is the one that was started"
    assert {told[crop_id][0] for crop_id in good} == {GOOD.outcome}
    assert {crop_id: reason for crop_id, reason in expected.items() if told[crop_id][1] != (reason or "")} == {}
    assert {name: dead.get(crop_id) for crop_id, name in by_broker.items()} == {"expiration 0": "expired"}
    assert set(dead) == by_broker.keys() | {crop_id for crop_id, reason in expected.items() if reason is not None}
    assert rabbit.depth(LIVE_QUEUE) == rabbit.depth(AUDIT_QUEUE) == 0
    with redis.client() as client:
        assert all(key.startswith(("verdict:{door}", "verdicts:{door}", "verdicts:{?}", "worker:alive")) for key in client.scan_iter())
    text = log.read_text()
    assert "libpng" not in text, "a codec's complaints are not for the log"
    assert len(text.splitlines()) < 60


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
            if i in (60, 140):
                poison.append(publish(channel, b"\x89PNG\r\n\x1a\n" + POISON, PNG))

    def over() -> bool:
        return set(good) <= ends(redis).keys() and rabbit.depth(DEAD_QUEUE) >= len(poison)

    deaths = 0
    while not over():
        assert deaths < 20, "poison should be out of the queue by now"
        with running("tests.faults.poisoned_worker", environment=environment, log=log) as worker:
            eventually(lambda: worker.poll() is not None or over(), 40, "an end, good or bad")
            deaths += worker.poll() is not None
    dead = {p.message_id: reason_of(p) for p, _ in rabbit.get(DEAD_QUEUE)}
    assert dead == dict.fromkeys(poison, "delivery_limit")
    assert {ends(redis)[crop_id][0] for crop_id in good} == {GOOD.outcome}
    said(log, "broker.connected", deaths)


def test_as_many_cameras_crops_as_can_share_an_instant_each_count_for_their_own_track(
    environment: dict[str, str], rabbit: RabbitServer, redis: RedisServer, tmp_path: Path
) -> None:
    at_ms = now_ms()
    with confirmed(rabbit) as channel:
        same = {"camera_id": "door", "captured_at": at_ms}
        first = publish(channel, GOOD.content, GOOD.content_type, headers={**same, "track_id": "one"})
        publish(channel, GOOD.content, GOOD.content_type, headers={**same, "track_id": "two"})
        publish(channel, GOOD.content, GOOD.content_type, headers={**same, "track_id": "one"}, message_id=first)
    with running("worker", environment=environment, log=tmp_path / "worker.log"), redis.client() as client:
        eventually(lambda: client.xlen(history_key("door")) == 3, 30, "three ends")
        tracks = [client.hget(f"verdict:{{door}}:{track}", "crops") for track in ("one", "two")]
        assert tracks == ["1", "1"], "a crop that comes twice counts once"
        assert client.hget("verdict:{door}", "track_id") == "one", "the first of an instant stands"
