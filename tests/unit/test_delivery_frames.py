"""DeliveryFrames reads from a delivery what pika's own reader reads."""

from typing import Any

import pika.frame
import pika.spec
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.crop import Message
from maskgate.runtime.pika_internals import DeliveryFrames

CHANNEL = 3
HEARTBEAT = pika.frame.Heartbeat().marshal()
TEXTS = st.text(max_size=20)
KEYS = st.one_of(TEXTS, st.just("live." + "a" * 64))
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(-(1 << 62), 1 << 62), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
CROP_LIKE = st.fixed_dictionaries(
    {
        "content_type": TEXTS,
        "type": TEXTS,
        "message_id": TEXTS,
        "delivery_mode": st.just(2),
        "headers": st.dictionaries(
            TEXTS, st.one_of(TEXTS, st.integers(1 << 40, 1 << 62)), max_size=4
        ),
    }
)
ANYTHING = st.fixed_dictionaries(
    {},
    optional={
        "content_type": TEXTS,
        "type": TEXTS,
        "message_id": TEXTS,
        "priority": st.integers(0, 9),
        "expiration": TEXTS,
        "app_id": TEXTS,
        "timestamp": st.integers(0, 1 << 33),
        "headers": st.dictionaries(TEXTS, VALUES, max_size=4),
    },
)


def frames_of(
    tag: int,
    properties: dict[str, Any],
    body: bytes,
    *,
    cut_at: int,
    consumer: str = "c",
    redelivered: bool = False,
    key: str = "live.door",
) -> list[bytes]:
    """A delivery as a broker writes it, its body in frames of ``cut_at`` bytes."""
    deliver = pika.spec.Basic.Deliver(consumer, tag, redelivered, "crops", key)
    encoded = [
        pika.frame.Method(CHANNEL, deliver),
        pika.frame.Header(CHANNEL, len(body), pika.spec.BasicProperties(**properties)),
    ]
    encoded += [
        pika.frame.Body(CHANNEL, body[at : at + cut_at]) for at in range(0, len(body), cut_at)
    ]
    return [frame.marshal() for frame in encoded]


def as_pika_reads(properties: dict[str, Any], body: bytes, key: str) -> Message:
    header = pika.frame.Header(
        CHANNEL, len(body), pika.spec.BasicProperties(**properties)
    ).marshal()
    _, frame = pika.frame.decode_frame(header)
    read: Any = frame.properties
    return Message(body, read.content_type, read.type, read.message_id, read.headers or {}, key)


class Reader:
    def __init__(self) -> None:
        self.taken: list[tuple[int, bool, Message]] = []
        self.to_pika: list[bytes] = []
        self.woken = 0
        self.frames = DeliveryFrames(CHANNEL, 100_000, self.to_pika.append, self._wake)
        self.frames.consumers[b"c"] = lambda *delivery: self.taken.append(delivery)

    def _wake(self) -> None:
        self.woken += 1


@given(
    st.lists(
        st.tuples(
            st.one_of(CROP_LIKE, ANYTHING),
            st.binary(max_size=60),
            KEYS,
            st.booleans(),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
    st.sampled_from([7, 100]),
)
def test_every_delivery_is_read_as_pika_reads_it_wherever_the_bytes_are_cut(
    deliveries: list[tuple[dict[str, Any], bytes, str, bool, bool]], cuts: list[int], cut_at: int
) -> None:
    stream, wanted, heartbeats = b"", [], 0
    for tag, (properties, body, key, redelivered, interrupted) in enumerate(deliveries, 1):
        frames = frames_of(tag, properties, body, cut_at=cut_at, redelivered=redelivered, key=key)
        if interrupted:  # by what belongs to no channel
            frames.insert(1, HEARTBEAT)
            heartbeats += 1
        stream += b"".join(frames)
        wanted.append((tag, redelivered, as_pika_reads(properties, body, key)))
    reader = Reader()
    whole = len(stream)
    for size in cuts * (whole // sum(cuts) + 1):
        if stream:
            reader.frames.received(stream[:size])
            stream = stream[size:]
    assert reader.taken == wanted
    assert reader.to_pika == [HEARTBEAT] * heartbeats
    assert reader.frames.own_bytes == whole - heartbeats * len(HEARTBEAT)


def test_deliveries_of_others_and_all_other_frames_are_left_to_pika() -> None:
    reader = Reader()
    others = frames_of(1, {}, b"body", cut_at=9, consumer="other")
    cancel = pika.frame.Method(CHANNEL, pika.spec.Basic.Cancel("c")).marshal()
    reader.frames.received(b"".join(others) + cancel + b"".join(frames_of(2, {}, b"", cut_at=9)))
    assert reader.to_pika == [*others, cancel]
    assert [tag for tag, _, _ in reader.taken] == [2]


def test_a_frame_without_its_end_is_left_to_pika_which_ends_the_connection() -> None:
    reader = Reader()
    method, header = frames_of(1, {}, b"", cut_at=9)
    reader.frames.received(method + header[:-1] + b"\0")
    assert reader.to_pika == [header[:-1] + b"\0"]
    assert reader.taken == []


def test_only_who_waits_is_woken() -> None:
    reader = Reader()
    for waiting, woken in ((False, 0), (True, 1)):
        reader.frames.waiting = waiting
        reader.frames.received(b"".join(frames_of(1, {}, b"x", cut_at=9) * 3))
        assert reader.woken == woken
