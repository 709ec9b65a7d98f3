import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from maskgate.protocol.crop import Message
from maskgate.protocol.queue import Delivery, QueueKind
from maskgate.runtime.slow_start import SlowStart
from worker.loop import batches
from worker.reporting.audit import Share, report
from worker.reporting.stats import BatchHistogram


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


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(20, 20, 0.839, 1.0), (97, 100, 0.915, 0.990), (485, 500, 0.951, 0.982)],
)
def test_wilson_intervals_are_the_published_ones(
    hits: int, n: int, low: float, high: float
) -> None:
    assert Share(hits, n).interval() == pytest.approx((low, high), abs=0.0006)


def test_a_report_counts_the_decided_and_tells_what_misses_the_target() -> None:
    counts = {
        "mask.mask": 900,
        "mask.no_mask": 100,
        "no_mask.no_mask": 990,
        "no_mask.mask": 10,
        "mask.uncertain": 5,
        "unreadable": 2,
    }
    counts["beard:no_mask.mask"] = 10
    reported = report(counts)
    assert (reported.n, reported.uncertain, reported.unreadable) == (2005, 5, 2)
    assert reported.recall.value == pytest.approx(0.9)
    assert reported.precision.value == pytest.approx(900 / 910)
    assert reported.below_target == ["accuracy", "recall"]
    assert report(counts, "beard").accuracy.value == 0
