import numpy as np
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from maskgate.protocol.crop import Message
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.slow_start import SlowStart
from worker.loop import batches
from worker.reporting.stats import BatchHistogram, Stats
from worker.result import CropResult


def test_the_window_doubles_only_when_it_was_full_and_up_to_its_limit() -> None:
    start = SlowStart(5)
    grown = [(start.grow(held), start.window) for held in (0, 1, 1, 2, 4, 5)]
    assert grown == [(False, 1), (True, 2), (False, 2), (True, 4), (True, 5), (False, 5)]


def test_the_window_does_not_grow_while_a_crop_in_it_was_held_before() -> None:
    start = SlowStart(8)
    assert [
        start.grow(1, redelivered=1),
        start.grow(1),
        start.grow(2, redelivered=1),
        start.window,
    ] == [False, True, False, 2]


def test_each_crop_that_was_held_before_is_a_batch_of_its_own_and_the_order_stays() -> None:
    # A worker that lives on, its window long grown, is given what a dead one held.
    batch = [
        Delivery(tag, Message(b""), queue=QueueKind.LIVE, redelivered=tag in (3, 4))
        for tag in range(1, 7)
    ]
    assert [[delivery.tag for delivery in part] for part in batches(batch)] == [
        [1, 2],
        [3],
        [4],
        [5, 6],
    ]


def test_a_histogram_given_a_batch_tells_what_the_librarys_own_tells_of_each_value() -> None:
    own, theirs, limits = CollectorRegistry(), CollectorRegistry(), (0.001, 0.01, 0.1)
    values = [0.0, 0.001, 0.0011, 0.05, 0.1, 7.0]
    at_once = BatchHistogram("h", "help", limits)
    own.register(at_once)
    one_by_one = Histogram("h", "help", buckets=limits, registry=theirs)
    for part in (values[:2], values[2:]):
        at_once.observe(np.asarray(part))
    for value in values:
        one_by_one.observe(value)
    reported, wanted = (
        [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
        for registry in (own, theirs)
    )
    assert reported == wanted


def test_an_interval_counts_live_crops_and_audit_samples_apart() -> None:
    stats, laps_s = Stats(), {"decode": 0.0, "infer": 0.0, "write": 0.0}
    of = [
        (QueueKind.LIVE, Outcome.MASK),
        (QueueKind.AUDIT, Outcome.MASK),
        (QueueKind.AUDIT, Outcome.UNCERTAIN),
    ]
    results = [
        CropResult(tag=tag, queue=kind, outcome=outcome) for tag, (kind, outcome) in enumerate(of)
    ]
    stats.batch(results, laps_s, now_ms=0)
    line = stats.line()
    assert (line["crops"], line["mask"], line["uncertain"]) == (3, 1, 0)
    assert line["audit"] == {"mask": 1, "uncertain": 1}
    assert stats.line()["audit"] == {}
