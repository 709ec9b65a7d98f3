"""The pages of throughput and precision: the numbers that are shown are those computed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from desk.access.roles import Role
from desk.precision import view as precision_view
from desk.precision.expected import Estimates
from desk.throughput import view as throughput_view
from desk.throughput.collector import Collector
from desk.throughput.ring import Ring
from desk.web.pages import environment
from maskgate.audit.share import Share
from maskgate.estimates.performance import Estimate, Measure
from maskgate.protocol.crop import Label
from maskgate.protocol.errors import Reason
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import Outcome
from tests.crop_results import audit_result, live_result, write
from tests.desk_pages import served, text_of
from tests.integration.test_desk_throughput import NoBroker
from worker.connections import ConnectionState, Service
from worker.operations.health import Health
from worker.operations.metrics import serving
from worker.reporting.stats import Stats
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_NOON_MS = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)
_LAPS_S = {"decode": 0.004, "infer": 0.02, "write": 0.0007}


class Clock:
    """Times that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1_790_000_000.0

    def ms(self) -> int:
        return int(self.now_s * 1000)

    def s(self) -> float:
        return self.now_s


@pytest.fixture
def ring() -> Ring:
    """Two looks, ten seconds apart, at a worker's page."""
    ring, clock, stats = Ring(5), Clock(), Stats()
    connections = ConnectionState(stats.registry)
    for service in Service:
        connections.connected(service)
    HistoryBudget(10_000, stats.registry).observe({"used_memory": 3 << 20, "maxmemory": 12 << 20})
    with serving("127.0.0.1", 0, Health(connections, 30), stats.registry) as port:
        pages = [f"http://127.0.0.1:{port}"]
        collector = Collector(ring, NoBroker(), workers=pages, clock=clock.ms, monotonic_s=clock.s)
        collector.look()
        stats.batch([live_result(f"{i:032x}", 0) for i in range(1500)], _LAPS_S, 8)
        broken = CropResult(
            tag=1, queue=QueueKind.LIVE, outcome=Outcome.UNREADABLE, reason=Reason.BAD_IMAGE
        )
        stats.batch([broken] * 30, _LAPS_S, 8)
        stats.batch([audit_result("a")], _LAPS_S, 8)
        clock.now_s += 10
        collector.look()
    return ring


def test_the_page_of_throughput_shows_rates_latencies_outcomes_and_reasons(
    ring: Ring, tmp_path: Path
) -> None:
    with served(tmp_path, throughput_view.routes(ring, environment()), Role.VIEWER) as browser:
        html = browser.page("/throughput")
    text = text_of(html)
    assert "Live crops a second 153.0 153.0" in text
    assert "Audit samples a second 0.1 0.1" in text
    assert "Crops a batch 510.3 510.3" in text
    assert "Capture to verdict 7.5 ms / 10.0 ms" in text
    assert "Batch: infer 17.5 ms / 24.9 ms" in text
    assert "mask 1,500 1,500" in text
    assert "unreadable 30 30 bad_image 30 30" in text
    assert "expired 0 0" in text
    assert "refused 0 0" in text
    assert "Redis memory 3.0 MiB of 12 MiB (25%)" in text
    assert "Workers ready 1 of 1" in text
    assert "The broker does not answer: no broker here" in text
    assert "Live crops that wait –" in text
    assert "Look at them" not in text, "dead letters are for operators"
    assert html.count("<svg") == 3, "plots without JavaScript"


def test_the_curves_are_those_of_the_looks(ring: Ring, tmp_path: Path) -> None:
    with served(tmp_path, throughput_view.routes(ring, environment()), Role.VIEWER) as browser:
        found = json.loads(browser.page("/throughput/curves.json"))
    assert found["at"] == [1_790_000_010]
    assert found["plots"]["latency"] == {"unit": "ms", "names": ["p50", "p99"]}
    assert found["columns"]["rates"] == [[153.0], [0.1]]
    assert found["columns"]["queues"] == [[None], [None], [None]]


def test_a_worker_that_does_not_answer_is_named_on_the_page(tmp_path: Path) -> None:
    ring = Ring(5)
    Collector(ring, NoBroker(), workers=["http://worker.invalid:9100"]).look()
    with served(tmp_path, throughput_view.routes(ring, environment()), Role.VIEWER) as browser:
        text = text_of(browser.page("/throughput"))
    assert "Worker worker.invalid:9100: the name has no address" in text
    assert "Workers ready 0 of 1" in text


def test_before_the_first_look_and_without_workers_the_page_says_so(tmp_path: Path) -> None:
    ring = Ring(5)
    with served(tmp_path, throughput_view.routes(ring, environment()), Role.VIEWER) as browser:
        assert "first look" in browser.page("/throughput")
        Collector(ring, NoBroker(), workers=[]).look()
        assert "MASKGATE_DESK_WORKERS" in browser.page("/throughput")


def test_the_stream_sends_figures_and_the_next_values_of_the_curves(
    ring: Ring, tmp_path: Path
) -> None:
    with (
        served(tmp_path, throughput_view.routes(ring, environment()), Role.VIEWER) as browser,
        browser.stream("GET", "/throughput/events") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        Collector(ring, NoBroker(), workers=["http://worker.invalid:9100"]).look()
        lines = answer.iter_lines()
        assert next(lines) == "event: look"
        news = json.loads(next(lines).removeprefix("data: "))
    assert "worker.invalid" in news["html"]
    assert [len(news["at"]), *map(len, news["columns"]["rates"])] == [1, 1, 1]


@pytest.fixture
def counted(client: Redis) -> Redis:
    """920 right and 10 wrong of mask, 30 that were not decided; at a camera and in a slice."""
    store = RedisVerdictStore(
        client,
        model="m<1>",
        ttl_ms=3000,
        max_skew_ms=250,
        history=HistoryBudget(100),
        audit_slices=["beard"],
        clock=lambda: _NOON_MS,
    )
    numbers = iter(range(10**6))
    write(store, [live_result("a", _NOON_MS)])
    for n, label, outcome, tag in (
        (920, Label.MASK, Outcome.MASK, None),
        (10, Label.NO_MASK, Outcome.MASK, "beard"),
        (30, Label.MASK, Outcome.UNCERTAIN, None),
    ):
        samples = [audit_result(f"{next(numbers):032x}", label, outcome, tag) for _ in range(n)]
        write(store, samples)
    return client


def test_the_page_of_precision_shows_measures_with_intervals_targets_and_parts(
    counted: Redis, tmp_path: Path
) -> None:
    routes = precision_view.routes(counted, environment(), clock=lambda: _NOON_MS)
    with served(tmp_path, routes, Role.VIEWER) as browser:
        html = browser.page("/precision")
    text = text_of(html)
    low, high = (f"{100 * limit:.1f}" for limit in Share(920, 930).interval())
    assert f"newest 1,000 samples 960 98.9 % met {low} to {high} 920 of 930 100.0 % met" in text
    for name in ("today", "30 days", "2026-11-28", "lobby", "m&lt;1&gt;"):
        assert f"{name} 960 98.9 %" in text
    assert "beard 10 0.0 % below 0.0 to 27.8 0 of 10" in text
    assert "target 98.0 %" in text
    assert "<1>" not in html
    assert html.count('<circle class="dot"') == 4, "one day in four plots"


def test_without_samples_the_page_says_so(client: Redis, tmp_path: Path) -> None:
    with served(tmp_path, precision_view.routes(client, environment()), Role.VIEWER) as browser:
        assert "No audit sample" in browser.page("/precision?model=../x")


def test_what_is_expected_without_labels_stands_beside_what_is_known(
    counted: Redis, tmp_path: Path
) -> None:
    asked: list[str] = []

    def estimates(model: str) -> Estimates:
        asked.append(model)
        unknown = Measure(None, 0, 1)
        found = Estimate(
            crops=5000,
            visits=900,
            share_of_masks=0.5,
            coverage=unknown,
            accuracy=unknown,
            precision=Measure(0.9712, 0.9655, 0.9779),
            recall=unknown,
        )
        return Estimates(found, {"lobby": found, "hall": found}, {"hall": "camera hall: shifted"})

    routes = precision_view.routes(
        counted, environment(), estimates=estimates, clock=lambda: _NOON_MS
    )
    with served(tmp_path, routes, Role.VIEWER) as browser:
        text = text_of(browser.page("/precision"))
        assert "expected without labels 5,000 crops 97.1 % below 96.5 to 97.8 – – –" in text
        assert "hall, expected 5,000 crops" in text
        assert "camera hall: shifted" in text
        browser.page("/precision")
    assert asked == ["m<1>"], "for some seconds nothing is read again"
