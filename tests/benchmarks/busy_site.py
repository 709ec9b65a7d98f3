"""What the desk's benchmark looks at: doors that are busy now, and what they left behind."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from redis import Redis

from desk.background import running
from desk.settings import SHIPPED_CARD
from maskgate.protocol.camera_state import CameraCondition, CameraState, SentState
from maskgate.protocol.crop import Label
from maskgate.protocol.known_cameras import CAMERAS_KEY
from maskgate.protocol.scores import bin_cell, hours_before, scores_key, sum_cell, visits_cell
from maskgate.protocol.verdict import Outcome
from maskgate.runtime.clock import now_ms
from tests.crop_results import audit_result, live_result, write
from worker.connections import ConnectionState
from worker.operations.health import Health
from worker.operations.metrics import serving
from worker.reporting.stats import STAGES, Stats
from worker.result import CropResult
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_MODEL = json.loads(SHIPPED_CARD.read_text())["name"]
_DAYS, _DAY_MS = 30, 24 * 3600 * 1000
_SLICES = ("beard", "glasses", "profile", "respirator", "small")
_OUTCOMES = (Outcome.NO_MASK, Outcome.MASK, Outcome.NO_MASK, Outcome.UNCERTAIN)


def audited(client: Redis, cameras: Sequence[str]) -> None:
    """A month of audit samples, one of each camera a day."""
    numbers = count(1)
    for back in reversed(range(_DAYS)):
        at_ms = now_ms() - back * _DAY_MS
        store = RedisVerdictStore(
            client,
            model=_MODEL,
            ttl_ms=3000,
            max_skew_ms=250,
            history=HistoryBudget(100),
            audit_slices=_SLICES,
            clock=lambda at_ms=at_ms: at_ms,  # type: ignore[misc]
        )
        write(store, [live_result("live", at_ms, camera=camera) for camera in cameras])
        samples = [_sample(next(numbers), camera) for camera in cameras]
        for first in range(0, len(samples), 50):
            write(store, samples[first : first + 50])


def _sample(number: int, camera: str) -> CropResult:
    label = (Label.MASK, Label.NO_MASK)[number % 2]
    outcome = (Outcome.MASK, Outcome.NO_MASK)[(number + (number % 50 == 0)) % 2]
    slice_name = _SLICES[number % len(_SLICES)]
    return audit_result(f"{number:032x}", label, outcome, slice_name, camera=camera)


def scored(client: Redis, cameras: Sequence[str]) -> None:
    """A day of counted probabilities of each camera."""
    for at_ms in hours_before(now_ms(), 24):
        with client.pipeline(transaction=False) as pipe:
            for camera in cameras:
                cells: dict[Any, int] = {
                    bin_cell(_MODEL, 1, Outcome.NO_MASK): 800,
                    sum_cell(_MODEL, Outcome.NO_MASK): 8_000_000,
                    bin_cell(_MODEL, 18, Outcome.MASK): 200,
                    sum_cell(_MODEL, Outcome.MASK): 198_000_000,
                    visits_cell(_MODEL): 100,
                }
                pipe.hset(scores_key(camera, at_ms), mapping=cells)
            pipe.execute()


@contextmanager
def metrics_of_a_worker() -> Iterator[str]:
    """The address of a worker's metrics, whose figures grow."""
    stats = Stats()
    crops = [live_result(f"{n:032x}", now_ms(), _OUTCOMES[n % 4]) for n in range(100)]

    def run(stop: threading.Event) -> None:
        while not stop.wait(0.1):
            stats.batch(crops, dict.fromkeys(STAGES, 0.001), now_ms())

    health = Health(ConnectionState(stats.registry), 30)
    with (
        running("metrics", run),
        serving("127.0.0.1", 0, health, stats.registry) as port,
    ):
        yield f"http://127.0.0.1:{port}"


class Site:
    """Writes what workers write."""

    def __init__(self, client: Redis, cameras: Sequence[str]) -> None:
        self._client, self._cameras = client, cameras
        self._numbers = count(1)
        self._store = RedisVerdictStore(
            client, model=_MODEL, ttl_ms=3000, max_skew_ms=250, history=HistoryBudget(1000)
        )
        client.zadd(CAMERAS_KEY, dict.fromkeys(cameras, now_ms()))
        # A person is a track for a while; each door begins with another one.
        self._visits = {camera: number for number, camera in enumerate(cameras)}

    @contextmanager
    def busy(self, rate: float) -> Iterator[None]:
        """Crops of all doors at this rate each, in batches as a worker has them."""

        def run(stop: threading.Event) -> None:
            while not stop.is_set():
                began_s = time.monotonic()
                for first in range(0, len(self._cameras), 20):
                    self._batch(self._cameras[first : first + 20])
                    stop.wait(1 / rate / max(1, len(self._cameras) // 20) / 2)
                stop.wait(max(0.0, 1 / rate - (time.monotonic() - began_s)))

        with running("crops", run):
            yield

    def _batch(self, cameras: Sequence[str]) -> None:
        at_ms, states = now_ms(), []
        results = []
        for camera in cameras:
            self._visits[camera] += 1
            visit = self._visits[camera] // 30
            results.append(
                live_result(
                    f"{next(self._numbers):032x}",
                    at_ms,
                    _OUTCOMES[visit % len(_OUTCOMES)],
                    camera=camera,
                    track=f"visit-{visit}",
                )
            )
            if self._visits[camera] % 10 == 0:
                state = CameraState(
                    state=CameraCondition.UP, since_ms=at_ms - 60_000, sent_at_ms=at_ms, fps=5.0
                )
                states.append(SentState(camera, state))
        with self._store.writing(results, states):
            pass
        self._store.heartbeat()

    def adds(self, camera: str) -> None:
        """Write a masked person's crop of one camera."""
        crop_id = f"{next(self._numbers):032x}"
        write(self._store, [live_result(crop_id, now_ms(), camera=camera)])
