"""The shipped worker, which prints at its end how much CPU time each stage took.

``python -m tests.benchmarks.staged_worker``: its parts are wrapped from outside. Prints one JSON
line: crops, batches, and per stage the seconds of its thread's CPU time, without waiting.
"""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import worker.loop
from maskgate.inference.model import Model
from worker.__main__ import main
from worker.broker.rabbit import RabbitConsumer
from worker.reporting.stats import Stats
from worker.store.redis_store import RedisVerdictStore

#: A stage that runs inside another is subtracted from it at the end.
_WITHIN = {"infer": "classify", "read": "write"}

spent_s: defaultdict[str, float] = defaultdict(float)
counts: Counter[str] = Counter()


def _time(owner: Any, name: str, stage: str) -> None:
    original = getattr(owner, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        begun_s = time.thread_time()
        try:
            return original(*arguments, **named)
        finally:
            spent_s[stage] += time.thread_time() - begun_s

    setattr(owner, name, timed)


def _time_writes() -> None:
    original = RedisVerdictStore.writing

    @contextmanager
    def timed(self: RedisVerdictStore, results: Any, states: Any = ()) -> Iterator[None]:
        begun_s = time.thread_time()
        try:
            with original(self, results, states):
                yield
        finally:
            spent_s["write"] += time.thread_time() - begun_s

    RedisVerdictStore.writing = timed  # type: ignore[method-assign]


def _count_crops() -> None:
    original = RabbitConsumer.receive

    def counted(self: RabbitConsumer, limit: int, timeout_s: float) -> Any:
        batch = original(self, limit, timeout_s)
        if not counts:
            spent_s.clear()  # without the start
            counts["begun"] = 1
            spent_s["begun"] = time.thread_time()
        counts["crops"] += len(batch)
        counts["batches"] += bool(batch)
        return batch

    RabbitConsumer.receive = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    for owner, name, stage in (
        (RabbitConsumer, "receive", "receive"),
        (RabbitConsumer, "read", "read"),
        (RabbitConsumer, "ack", "ack"),
        (worker.loop, "validate", "classify"),
        (worker.loop, "infer", "classify"),
        (Model, "p_mask", "infer"),
        (Stats, "batch", "count"),
    ):
        _time(owner, name, stage)
    _time_writes()
    _count_crops()
    code = main([])
    total_s = time.thread_time() - spent_s.pop("begun")
    for inner, outer in _WITHIN.items():
        spent_s[outer] -= spent_s[inner]
    spent_s["rest"] = total_s - sum(spent_s.values())
    print(
        json.dumps(
            {"crops": counts["crops"], "batches": counts["batches"], "spent_s": dict(spent_s)}
        ),
        flush=True,
    )
    sys.exit(code)
