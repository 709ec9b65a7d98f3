"""Counting audit samples in a real Redis, at times that the test sets."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from redis import Redis
from structlog.testing import capture_logs

from maskgate.audit.counts import read_camera_counts, read_models
from maskgate.audit.report import report, slices
from maskgate.audit.share import Share
from maskgate.protocol.audit import AUDIT_MODELS_KEY
from maskgate.protocol.crop import Label
from maskgate.protocol.verdict import Outcome, verdict_key
from maskgate.runtime.store import connect
from tests.crop_results import audit_result, live_result, write
from tests.servers.redis_server import RedisServer
from worker.reporting.audit_log import AuditLog
from worker.store.audit_counts import MAX_CAMERAS, audit_keys
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS
_MIDNIGHT_MS = int(datetime(2026, 11, 28, tzinfo=UTC).timestamp() * 1000)
#: The longest that the setting allows.
NAMES = [f"{i:02}".ljust(64, "x") for i in range(20)]


class Site:
    """A store whose clock the test sets."""

    def __init__(self, client: Redis) -> None:
        self.client, self.now_ms = client, _MIDNIGHT_MS
        self.store = RedisVerdictStore(
            client,
            model="m",
            ttl_ms=3000,
            max_skew_ms=250,
            history=HistoryBudget(100),
            audit_slices=NAMES,
            clock=lambda: self.now_ms,
        )

    def window(self, name: str) -> Mapping[str, float]:
        return self.store.audit_counts()[name]

    def cameras(self) -> Mapping[str, float]:
        return read_camera_counts(self.client, "m", self.now_ms)

    def judge(self, window: str = "newest") -> list[str]:
        return report(self.window(window)).below_target


@pytest.fixture
def site(redis: RedisServer) -> Iterator[Site]:
    with connect(redis.url, None, name="test", timeout_s=10) as client:
        yield Site(client)


def test_a_sample_is_counted_once_even_across_midnight_and_is_never_a_verdict(site: Site) -> None:
    sample = audit_result("s", Label.NO_MASK, slice_name=NAMES[0])
    site.now_ms = _MIDNIGHT_MS - 1
    write(site.store, [sample, sample])
    replica = Site(site.client)  # its clock says midnight
    write(replica.store, [sample])
    counted = {"no_mask.mask": 1, f"{NAMES[0]}:no_mask.mask": 1}
    assert replica.store.audit_counts() == {
        "newest": {"no_mask.mask": 1},
        "today": {},
        "30d": counted,
    }
    assert site.client.hgetall("audit:{m}:hour:2026-11-27T23").keys() == counted.keys()
    assert site.client.exists(verdict_key("lobby")) == 0


def test_days_and_hours_are_counted_apart_and_end(site: Site) -> None:
    for back in (31, 30, 29, 1, 0):
        site.now_ms = _MIDNIGHT_MS - back * _DAY_MS
        write(site.store, [audit_result(f"day {back}")])
    site.now_ms += 5 * _HOUR_MS
    write(site.store, [audit_result("five o'clock")])
    assert site.window("today") == {"mask.mask": 2}
    assert site.window("30d") == {"mask.mask": 4}, "29 days ago, yesterday, today twice"
    hours = [
        site.client.hget(f"audit:{{m}}:hour:2026-11-28T{hour}", "mask.mask")
        for hour in ("00", "05")
    ]
    assert hours == ["1", "1"]
    left_h = [site.client.pttl(key) / _HOUR_MS for key in audit_keys("m", site.now_ms)]
    assert left_h == pytest.approx([31 * 24, 49, 31 * 24, 31 * 24, 31 * 24], abs=0.1)


def test_the_newest_window_holds_1000_samples(site: Site) -> None:
    write(site.store, [audit_result(f"old {i}") for i in range(700)])
    write(site.store, [audit_result(f"new {i}", outcome=Outcome.NO_MASK) for i in range(700)])
    assert site.window("newest") == {"mask.mask": 300, "mask.no_mask": 700}


def test_keys_of_another_type_do_not_stop_the_counting(site: Site) -> None:
    for key in [*audit_keys("m", site.now_ms), AUDIT_MODELS_KEY]:
        site.client.set(key, "in the way")
    write(site.store, [audit_result("s")])
    assert site.store.audit_counts() == {
        window: {"mask.mask": 1} for window in ("newest", "today", "30d")
    }
    assert site.cameras() == {"*:mask.mask": 1}
    assert read_models(site.client) == ["m"]


def test_a_camera_is_counted_by_name_once_it_was_seen_live(site: Site) -> None:
    write(site.store, [audit_result("a", camera="hall")])
    write(site.store, [live_result("b", site.now_ms, camera="hall"), audit_result("c", camera="x")])
    write(site.store, [audit_result("d", Label.NO_MASK, camera="hall")])
    counts = site.cameras()
    assert slices(counts) == ["*", "hall"]
    assert report(counts, "hall").shares["precision"] == Share(0, 1)
    assert report(counts, "*").shares["precision"] == Share(2, 2)
    assert report(site.window("30d")).shares["precision"] == Share(2, 3)
    assert slices(site.window("30d")) == [], "a camera is no slice"


def test_invented_cameras_are_one_and_real_ones_are_bounded(site: Site) -> None:
    write(site.store, [audit_result(f"a{i}", camera=f"invented-{i}") for i in range(2000)])
    assert slices(site.cameras()) == ["*"]
    real = [f"hall-{i}" for i in range(MAX_CAMERAS + 500)]
    write(site.store, [live_result(f"b{i}", site.now_ms, camera=c) for i, c in enumerate(real)])
    write(site.store, [audit_result(f"c{i}", camera=c) for i, c in enumerate(real)])
    assert len(slices(site.cameras())) == MAX_CAMERAS + 1
    assert report(site.cameras(), "*").n == 2000 + 500


def test_models_with_counts_are_found_the_newest_first_and_only_so_many(site: Site) -> None:
    site.client.zadd(AUDIT_MODELS_KEY, {f"old-{i:03}": i for i in range(150)})
    write(site.store, [audit_result("a")])
    found = read_models(site.client)
    assert found[:2] == ["m", "old-149"]
    assert len(found) == 100
    assert site.client.pttl(AUDIT_MODELS_KEY) > 30 * _DAY_MS


def test_20000_invented_slices_are_one_and_a_line_stays_short(site: Site) -> None:
    for begin in range(0, 20_000, 2000):
        names = [*NAMES, *(f"invented-{i}" for i in range(begin, begin + 2000))]
        write(
            site.store,
            [
                audit_result(f"{begin}-{i}", label, outcome, name)
                for i, name in enumerate(names)
                for label, outcome in [(Label("mask" if i % 2 else "no_mask"), Outcome.MASK)]
            ],
        )
    with capture_logs() as said:
        AuditLog(site.store, "m", CollectorRegistry()).report()
    reports: dict[str, Any] = {e["window"]: e for e in said if e["event"] == "audit.report"}
    assert reports.keys() == {"newest", "today", "30d"}
    assert set(reports["today"]["slices"]) == {*NAMES, "other"}
    assert reports["today"]["slices"]["other"]["n"] == 20_000
    assert max(len(json.dumps(line)) for line in said) < 16_384, "bytes"
    assert site.client.hlen(audit_keys("m", site.now_ms)[0]) < 200


def test_a_model_that_decides_next_to_nothing_is_below_target(site: Site) -> None:
    samples = [
        audit_result(str(i), label, Outcome.UNCERTAIN if i % 100 else Outcome(label.value))
        for i in range(400)
        for label in [Label.MASK if i % 200 < 100 else Label.NO_MASK]
    ]
    write(site.store, samples)
    registry = CollectorRegistry()
    with capture_logs() as said:
        AuditLog(site.store, "m", registry).report()
    below = {e["window"]: e for e in said if e["event"] == "audit.below_target"}
    assert below.keys() == {"newest", "30d"}, "a day is not judged"
    found = below["newest"]
    assert found["measures"] == ["coverage", "recall_all"]
    assert (found["recall"], found["recall_all"], found["coverage"]) == (1.0, 0.01, 0.01)
    metrics = generate_latest(registry).decode()
    assert 'maskgate_audit_below_target{measure="coverage",window="newest"} 1.0' in metrics
    assert 'maskgate_audit_share{measure="recall",window="today"} 1.0' in metrics


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fall_of_recall_after_500000_samples_shows_within_1000(site: Site, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = iter(range(10**9))

    def send(count: int, recall: float) -> None:
        masked, right = rng.random(count) < 0.5, rng.random(count) < recall
        write(
            site.store,
            [
                audit_result(f"{next(ids):032x}", label, outcome)
                for is_masked, is_right in zip(masked.tolist(), right.tolist(), strict=True)
                for label in [Label.MASK if is_masked else Label.NO_MASK]
                for outcome in [Outcome.MASK if is_masked and is_right else Outcome.NO_MASK]
            ],
        )

    for _ in range(100 if seed == 1 else 2):
        send(5000, 0.99)
        assert site.judge() == []
    needed = 0
    while "recall" not in site.judge() and needed < 2000:
        send(50, 0.90)
        needed += 50
    print(f"seed {seed}: the alarm came after {needed} samples")
    assert needed <= 1000
    assert sum(site.window("30d").values()) == next(ids), "every sample is counted once"
    assert seed != 1 or site.judge("30d") == [], "500,000 good samples hide it in the longer window"
