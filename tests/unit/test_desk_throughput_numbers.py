"""From metrics pages to figures, without a network."""

import math

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from desk.throughput.figures import figures
from desk.throughput.numbers import LATENCY, Page, by_label, growth, parse, summed
from desk.throughput.quantile import quantile
from desk.throughput.ring import Point, Ring
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from worker.reporting.stats import Stats
from worker.result import CropResult

LAPS_S = {"decode": 0.004, "infer": 0.02, "write": 0.0007}


def result(outcome: Outcome, captured_at_ms: int = 0, reason: Reason | None = None) -> CropResult:
    p_mask = None if reason else 0.9
    return CropResult(
        tag=1,
        queue=QueueKind.LIVE,
        outcome=outcome,
        reason=reason,
        p_mask=p_mask,
        captured_at_ms=captured_at_ms,
    )


def page(stats: Stats) -> Page:
    return parse(generate_latest(stats.registry).decode())


def test_growth_is_what_a_worker_did_between_two_pages() -> None:
    stats = Stats()
    stats.batch([result(Outcome.MASK)] * 3, LAPS_S, 8)
    before = page(stats)
    stats.batch([result(Outcome.MASK)] * 2, LAPS_S, 8)
    broken = result(Outcome.UNREADABLE, reason=Reason.BAD_IMAGE)
    old = result(Outcome.EXPIRED, reason=Reason.TOO_OLD)
    stats.batch([broken, old, old], LAPS_S, 8)
    found = figures(growth(before, page(stats)), 2.0)
    assert found.outcomes == {
        "mask": 2,
        "no_mask": 0,
        "uncertain": 0,
        "unreadable": 1,
        "expired": 2,
    }
    assert found.unreadable == {"bad_image": 1}
    assert (found.live_per_s, found.audit_per_s, found.batch_mean) == (2.5, 0.0, 2.5)


def test_a_worker_that_started_again_counts_from_0_even_if_it_overtook_its_former_counts() -> None:
    old, new = Stats(), Stats()
    old.batch([result(Outcome.MASK)] * 3, LAPS_S, 8)
    new.batch([result(Outcome.MASK)] * 5, LAPS_S, 8)
    grown = growth(page(old), page(new))
    assert figures(grown, 1.0).outcomes["mask"] == 5


def test_a_page_that_does_not_tell_its_start_begins_anew_when_a_count_falls() -> None:
    (before, now) = (
        parse(f'maskgate_camera_refused_total{{camera="c",reason="queue_full"}} {n}\n')
        for n in (7, 2)
    )
    assert figures(growth(before, now), 1.0).refused == {"queue_full": 2}


def test_a_process_seen_for_the_first_time_grew_by_nothing() -> None:
    stats = Stats()
    stats.batch([result(Outcome.MASK)] * 3, LAPS_S, 8)
    assert growth(None, page(stats)) == {}


def test_quantiles_are_near_those_of_the_values() -> None:
    rng = np.random.default_rng(1)
    seconds = rng.uniform(0, 0.1, 20_000)
    registry = CollectorRegistry()
    limits = (0.01, 0.025, 0.05, 0.1, 1.0)
    histogram = Histogram(LATENCY, "", buckets=limits, registry=registry)
    empty = parse(generate_latest(registry).decode())
    for value in seconds:
        histogram.observe(value)
    grown = growth(empty, parse(generate_latest(registry).decode()))
    latency = figures(grown, 1.0).latency
    assert latency.p50_s == pytest.approx(np.quantile(seconds, 0.5), rel=0.02)
    assert latency.p99_s == pytest.approx(np.quantile(seconds, 0.99), rel=0.02)


@pytest.mark.parametrize(
    ("up_to", "q", "expected"),
    [
        ({}, 0.5, None),
        ({0.1: 0, math.inf: 0}, 0.5, None),
        ({0.1: 0, 0.2: 10, math.inf: 10}, 0.5, 0.15),
        ({0.1: 10, math.inf: 10}, 0.99, 0.099),
        ({0.1: 1, 0.2: 1, math.inf: 2}, 0.99, math.inf),
        ({0.1: 1, 0.2: 1, 0.4: 2, math.inf: 2}, 0.99, 0.396),
    ],
)
def test_a_quantile_is_interpolated_between_the_limits(
    up_to: dict[float, float], q: float, expected: float | None
) -> None:
    assert quantile(up_to, q) == (expected if expected is None else pytest.approx(expected))


def test_workers_are_added_up() -> None:
    grown = []
    for crops in (1, 4):
        stats = Stats()
        before = page(stats)
        stats.batch([result(Outcome.NO_MASK)] * crops, LAPS_S, 30)
        grown.append(growth(before, page(stats)))
    found = figures(summed(grown), 1.0)
    assert found.outcomes["no_mask"] == 5
    assert found.latency.p50_s == pytest.approx(0.0375, abs=0.0126)
    assert found.stages["decode"].p99_s == pytest.approx(0.005, abs=0.0025)


def test_the_ring_keeps_an_hour_and_gives_the_last_minute() -> None:
    (series,) = parse('maskgate_crops_total{queue="live",outcome="mask",reason=""} 1\n').counts
    ring = Ring(interval_s=5)
    assert (ring.newest, ring.since(60)) == (None, None)
    for i in range(1000):
        ring.add(Point(i * 5000, i * 5.0, {series: i * i}))
    assert len(ring.steps()) == 720
    assert ring.newest is not None
    assert ring.newest.at_ms == 999 * 5000
    minute, hour = ring.since(60), ring.since(10_000)
    assert minute is not None
    assert hour is not None
    assert (minute.seconds, minute.outcomes["mask"]) == (60, 999**2 - 987**2)
    assert (hour.seconds, hour.outcomes["mask"]) == (3600, 999**2 - 279**2)
    point, step = ring.steps()[-1]
    assert (point, step.live_per_s) == (ring.newest, (999**2 - 998**2) / 5)


def test_a_page_of_something_else_is_refused_or_empty() -> None:
    assert parse("# nothing\n") == Page(None, {}, {})
    with pytest.raises(ValueError, match="invalid metric name"):
        parse("<html>\nmaskgate_crops_total many\n")
    assert by_label({}, LATENCY, "le") == {}
