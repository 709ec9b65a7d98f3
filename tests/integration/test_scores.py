"""What workers count of the probabilities of live crops, in a real Redis."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from maskgate.estimates.reading import read_cameras, read_hours, total
from maskgate.protocol.errors import StoreError
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import (
    BINS,
    EDGES,
    OUTCOMES,
    Scores,
    bin_of,
    parse_scores,
    scores_key,
)
from maskgate.protocol.verdict import Outcome
from maskgate.redis_functions import library
from maskgate.runtime.store import connect
from tests.crop_results import audit_result, live_result
from tests.integration.conftest import PASSWORDS
from tests.servers.redis_server import RedisServer
from worker.result import CropResult
from worker.scores.flusher import ScoreFlusher
from worker.scores.store import RedisScoresStore, ScoresCall

_NOON_MS = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp() * 1000)
_HOUR_MS = 3600 * 1000


class Lossy(RedisScoresStore):
    """Loses requests or answers while the test says so."""

    lost = ""

    def run(self, calls: Sequence[ScoresCall]) -> None:
        if self.lost != "request":
            super().run(calls)
        if self.lost:
            msg = f"{self.lost} lost"
            raise StoreError(msg)


class Workers:
    """Workers of one site; ``now_ms`` is the time."""

    def __init__(self, client: Redis) -> None:
        self.client, self.now_ms = client, _NOON_MS

    def store(self) -> Lossy:
        return Lossy(self.client, lambda: self.now_ms)

    def start(self) -> ScoreFlusher:
        return ScoreFlusher(self.store())

    def scores(self, camera: str = "lobby", at_ms: int = _NOON_MS, model: str = "m") -> Scores:
        fields = self.client.hgetall(scores_key(camera, at_ms))
        return parse_scores({str(name): str(value) for name, value in fields.items()})[model]


@pytest.fixture
def workers(client: Redis) -> Workers:
    library().load(client)
    return Workers(client)


def results(count: int, *cameras: str) -> list[CropResult]:
    rng = random.Random(count)
    made = []
    for i in range(count):
        p_mask, outcome = rng.random(), rng.choice(OUTCOMES)
        made.append(
            live_result(
                f"{i}", 1, outcome, p_mask=p_mask, camera=rng.choice(cameras), track=f"{i // 9}"
            )
        )
    return made


def assert_counted(scores: Scores, crops: Sequence[CropResult]) -> None:
    for outcome in OUTCOMES:
        probabilities = [crop.p_mask or 0 for crop in crops if crop.outcome is outcome]
        bins = [bin_of(p) for p in probabilities]
        assert scores.counts[outcome] == tuple(bins.count(number) for number in range(BINS))
        assert scores.p_sums[outcome] == pytest.approx(sum(probabilities), abs=1e-5)


def test_counts_are_those_of_the_results_of_all_workers(workers: Workers) -> None:
    crops = results(600, "lobby", "yard", "gate")
    for share in (crops[::2], crops[1::2]):
        worker = workers.start()
        for part in (share[:100], share[100:]):
            worker.add(part, "m")
            worker.flush()
    for camera in ("lobby", "yard", "gate"):
        assert_counted(workers.scores(camera), [c for c in crops if c.camera_id == camera])


def test_only_live_crops_that_were_classified_are_counted(workers: Workers) -> None:
    worker = workers.start()
    unreadable = live_result("u", 1, Outcome.UNREADABLE)
    worker.add([audit_result("a"), unreadable, live_result("c", 1)], "m")
    worker.flush()
    assert workers.scores().crops == 1


def test_a_visit_is_counted_once_whichever_workers_see_it(workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    for worker in (first, second, first):
        worker.add([live_result("1", 1, track="a"), live_result("2", 2, track="b")], "m")
        worker.flush()
    second.add([live_result(name, 1, track=name) for name in "xyz"], "m")  # of no track
    second.flush()
    assert workers.scores().visits == 2 + 3
    assert workers.scores().crops == 9


def test_hours_and_models_are_counted_apart_and_end(workers: Workers) -> None:
    worker = workers.start()
    for model in ("m", "n"):
        worker.add([live_result("1", 1)], model)
    worker.flush()
    workers.now_ms += _HOUR_MS
    worker.add([live_result("2", 1)], "n")
    worker.flush()
    assert [workers.scores(model=model).crops for model in "mn"] == [1, 1]
    assert workers.scores(at_ms=workers.now_ms, model="n").crops == 1
    left_ms = workers.client.pttl(scores_key("lobby", workers.now_ms))
    assert 7.9 * 24 * _HOUR_MS < left_ms <= 8 * 24 * _HOUR_MS


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_counts_of_a_flush_that_failed_are_added_once(workers: Workers, lost: str) -> None:
    store = workers.store()
    worker, crops = ScoreFlusher(store), results(400, *(f"camera{i}" for i in range(40)))
    store.lost = lost
    with capture_logs() as lines:
        for part in (crops[:200], crops[200:]):
            worker.add(part, "m")
            worker.flush()
    assert [line["event"] for line in lines] == ["scores.not_added"]
    store.lost = ""
    workers.now_ms += _HOUR_MS  # the first counts belong to the hour before
    worker.flush()
    worker.flush()
    for camera in {crop.camera_id or "" for crop in crops[:200]}:
        assert_counted(workers.scores(camera), [c for c in crops[:200] if c.camera_id == camera])
    for camera in {crop.camera_id or "" for crop in crops[200:]}:
        late = workers.scores(camera, workers.now_ms)
        assert_counted(late, [c for c in crops[200:] if c.camera_id == camera])


def test_a_camera_is_listed_for_a_day_after_its_last_crop(workers: Workers) -> None:
    workers.client.zadd(CAMERAS_KEY, {"gone": _now_ms(workers) - 25 * _HOUR_MS})
    worker = workers.start()
    worker.add([live_result("1", 1, camera="yard")], "m")
    worker.flush()
    listed: Any
    (listed,) = workers.client.zrange(CAMERAS_KEY, 0, -1, withscores=True)
    assert listed[0] == "yard"
    assert abs(listed[1] - _now_ms(workers)) < 60_000


def test_the_hours_of_a_camera_are_read_by_model(workers: Workers) -> None:
    worker = workers.start()
    for name, model in (("1", "m"), ("2", "m"), ("3", "n")):
        worker.add([live_result(name, 1, track=name)], model)
        worker.flush()
        workers.now_ms += 5 * _HOUR_MS
    read = read_hours(workers.client, ["lobby", "yard"], now_ms=workers.now_ms - _HOUR_MS)
    assert {model: of.keys() for model, of in read.items()} == {"m": {"lobby"}, "n": {"lobby"}}
    hours = read["m"]["lobby"]
    assert [hour.begun_ms for hour in hours] == [_NOON_MS, _NOON_MS + 5 * _HOUR_MS]
    assert total(hours).crops == 2
    assert read_cameras(workers.client).keys() == {"lobby"}


def test_an_hour_of_a_camera_stays_small(workers: Workers) -> None:
    worker, middle = workers.start(), [(a + b) / 2 for a, b in pairwise(EDGES)]
    for p_mask in (0.001, *middle, 0.999):
        outcome = Outcome.MASK if p_mask > 0.875 else Outcome.NO_MASK
        worker.add([live_result("1", 1, outcome, p_mask=p_mask)] * 9999, "lite064-945210f0")
    worker.flush()
    key = scores_key("lobby", _NOON_MS)
    assert workers.client.object("encoding", key) in ("listpack", "ziplist")
    assert (workers.client.memory_usage(key) or 0) in range(500, 1_100)


def test_what_is_no_hash_is_replaced(workers: Workers) -> None:
    workers.client.set(scores_key("lobby", _NOON_MS), "garbage")
    workers.client.set(CAMERAS_KEY, "garbage")
    worker = workers.start()
    worker.add([live_result("1", 1)], "m")
    worker.flush()
    assert workers.scores().crops == 1


def test_counts_that_redis_refuses_for_long_are_dropped_and_their_number_is_said(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = workers.store()
    worker, store.lost = ScoreFlusher(store), "request"
    worker.add([live_result("1", 1)], "m")
    worker.flush()
    worker.add([live_result("2", 1), live_result("3", 1)], "m")
    monkeypatch.setattr("worker.scores.flusher._OLDEST_S", -1.0)
    with capture_logs() as lines:
        worker.flush()
    assert [(line["event"], line.get("crops")) for line in lines] == [("scores.dropped", 3)]
    store.lost = ""
    worker.add([live_result("4", 1)], "m")
    worker.flush()
    assert workers.scores().crops == 1


def test_the_rights_of_a_worker_are_enough_to_count(guarded: RedisServer, admin: Redis) -> None:
    url = f"redis://worker@127.0.0.1:{guarded.port}/0"
    with connect(url, PASSWORDS["worker"], name="test", timeout_s=2) as client:
        worker = Workers(client).start()
        worker.add([live_result("1", 1)], "m")
        worker.flush()
    assert Workers(admin).scores().crops == 1
    assert admin.zrange(CAMERAS_KEY, 0, -1) == ["lobby"]


def _now_ms(workers: Workers) -> int:
    seconds, micros = workers.client.time()
    return int(seconds) * 1000 + int(micros) // 1000
