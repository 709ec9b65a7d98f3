"""The gate: reads/s, and how soon a waiting door has a verdict that was just written."""

import itertools
import statistics
import threading
import time
from typing import Any

from redis import Redis

from maskgate.gate.client import Gate
from maskgate.protocol.crop import new_crop_id
from maskgate.protocol.verdict import history_key, verdict_key
from maskgate.runtime.clock import now_ms
from maskgate.runtime.store import connect
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import alternately
from tests.crop_results import live_result, write
from worker.store.history_budget import HistoryBudget
from worker.store.redis_store import RedisVerdictStore

_READS, _WAKES = 3000, 200
_TTL_MS = 600_000
_CAMERA = "lobby"


def gates(bench: Bench) -> None:
    """The gate's client and redis-py used directly; the difference is the cost of its checks."""
    bench.tell("gate")
    bench.stand.clear()
    url = bench.stand.redis.url
    with connect(url, None, name="bench", timeout_s=5) as client, Gate(url, timeout_s=5) as gate:
        store = RedisVerdictStore(
            client, model="m", ttl_ms=_TTL_MS, max_skew_ms=250, history=HistoryBudget(1000)
        )
        _write(store)
        reads = alternately(
            bench.rounds,
            {
                "redis-py's hgetall": lambda: _per_s(lambda: client.hgetall(verdict_key(_CAMERA))),
                "Gate.latest": lambda: _per_s(lambda: gate.latest(_CAMERA)),
                "Gate.decision": lambda: _per_s(lambda: gate.decision(_CAMERA)),
            },
            bench.tell,
        )
        bench.results.table(
            "Gate: one door reading", "reads/s", reads, reference="redis-py's hgetall"
        )
        wakes = alternately(
            bench.rounds,
            {
                "redis-py's subscription": lambda: _subscribed_ms(store, client),
                "Gate.wait": lambda: _waiting_ms(store, gate),
            },
            bench.tell,
        )
        note = (
            "from before the verdict is written until the waiting thread has it; "
            "median of 200 a round"
        )
        bench.results.table(
            "Gate: wake-up", "ms", wakes, reference="redis-py's subscription", note=note
        )


def _write(store: RedisVerdictStore) -> str:
    crop_id = new_crop_id()
    write(store, [live_result(crop_id, now_ms(), camera=_CAMERA, track=crop_id)])
    return crop_id


def _per_s(read: Any) -> float:
    begun_s = time.perf_counter()
    for _ in range(_READS):
        read()
    return _READS / (time.perf_counter() - begun_s)


def _subscribed_ms(store: RedisVerdictStore, client: Redis) -> float:
    with client.pubsub() as waiting:  # type: ignore[no-untyped-call]
        waiting.subscribe(history_key(_CAMERA))
        waiting.get_message(timeout=5)
        return _woken_ms(store, lambda _: waiting.get_message(timeout=5))


def _waiting_ms(store: RedisVerdictStore, gate: Gate) -> float:
    return _woken_ms(
        store, lambda newest_ms: gate.wait(_CAMERA, timeout_s=5, newer_than_ms=newest_ms)
    )


def _woken_ms(store: RedisVerdictStore, wait: Any) -> float:
    took_ms: list[float] = []
    for _ in itertools.repeat(None, _WAKES):
        newest_ms, woken_s = now_ms(), [0.0]
        time.sleep(0.002)  # the next verdict must be at least 1 ms newer

        def waiter(newest_ms: int = newest_ms, woken_s: list[float] = woken_s) -> None:
            wait(newest_ms)
            woken_s[0] = time.perf_counter()

        thread = threading.Thread(target=waiter)
        thread.start()
        time.sleep(0.005)  # until the thread waits
        begun_s = time.perf_counter()
        _write(store)
        thread.join()
        took_ms.append((woken_s[0] - begun_s) * 1000)
    return statistics.median(took_ms)
