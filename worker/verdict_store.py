"""Where verdicts go: one script call a camera and batch, all in one round trip; writing twice changes nothing."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from redis import Redis
from redis.exceptions import DataError, NoScriptError, RedisError

from contract.errors import StoreError
from contract.tls_trouble import told
from contract.verdict import ALIVE_KEY, NO_CAMERA, Outcome, audit_key, audit_seen_key, history_key, track_key, verdict_key
from worker.classify import End
from worker.redis_clock import ClockReading

#: A camera that is taken down leaves its history for a day.
HISTORY_TTL_MS = 24 * 3600 * 1000
#: Redeliveries come within seconds; this many crop ids cover days of audit samples.
AUDIT_IDS_REMEMBERED = 100_000
ALIVE_TTL_MS = 5000


class VerdictStore(Protocol):
    """What the worker needs of Redis."""

    def write(self, ends: Sequence[End]) -> None:
        """Write every end; on return each is readable.

        Raises:
            StoreError: at least one is not written; writing all of them again is safe.
        """

    def heartbeat(self) -> ClockReading:
        """Tell the doors that a worker is at work, and read Redis's clock.

        Raises:
            StoreError: Redis did not answer.
        """

    def audit_counts(self) -> dict[str, int]:
        """The confusion matrix so far, over all workers: see ``worker.audit``.

        Raises:
            StoreError: Redis did not answer.
        """


class RedisVerdictStore:
    """Verdicts in Redis or Valkey."""

    def __init__(self, client: Redis, *, model: str, ttl_ms: int, max_skew_ms: int, history_length: int) -> None:
        self._client = client
        self._model = model
        self._fixed = (ttl_ms, max_skew_ms, history_length, HISTORY_TTL_MS, model)
        here = Path(__file__).parent
        ours = (here / "ours.lua").read_bytes()
        self._scripts = {name: ours + (here / f"{name}.lua").read_bytes() for name in ("verdicts", "audit")}
        # Redis names a script by its SHA-1.
        self._names = {name: hashlib.sha1(script, usedforsecurity=False).hexdigest() for name, script in self._scripts.items()}

    def write(self, ends: Sequence[End]) -> None:
        """See :class:`VerdictStore`."""
        calls = [*self._verdict_calls(ends), *self._audit_call(ends)]
        with _store_errors():
            try:
                self._run(calls)
            except NoScriptError:
                # Redis was restarted or flushed. Those that did run are run again: that changes nothing.
                for script in self._scripts.values():
                    self._client.script_load(script)
                self._run(calls)

    def heartbeat(self) -> ClockReading:
        """See :class:`VerdictStore`."""
        with _store_errors():
            asked_s = time.monotonic()
            seconds, microseconds = self._client.time()
            reading = ClockReading(asked_s, seconds * 1000 + microseconds // 1000, time.monotonic())
            self._client.set(ALIVE_KEY, reading.redis_ms, px=ALIVE_TTL_MS)
        return reading

    def audit_counts(self) -> dict[str, int]:
        """See :class:`VerdictStore`."""
        with _store_errors():
            return {str(cell): int(count) for cell, count in self._client.hgetall(audit_key(self._model)).items()}

    def _run(self, calls: Sequence[tuple[str, list[str], list[object]]]) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for name, keys, arguments in calls:
                pipe.execute_command(  # type: ignore[no-untyped-call]  # 1.4 times as fast as evalsha()
                    "EVALSHA", self._names[name], len(keys), *keys, *arguments
                )
            pipe.execute()

    def _verdict_calls(self, ends: Sequence[End]) -> Iterator[tuple[str, list[str], list[object]]]:
        by_camera: dict[str, list[End]] = defaultdict(list)
        for end in ends:
            if not end.audit:
                by_camera[end.camera_id or NO_CAMERA].append(end)
        for camera_id, its_ends in by_camera.items():
            keys = [verdict_key(camera_id), history_key(camera_id)]
            arguments: list[object] = [*self._fixed]
            for end in its_ends:
                position = 0
                if end.outcome not in (Outcome.UNREADABLE, Outcome.EXPIRED):
                    keys.append(track_key(camera_id, end.track_id or ""))
                    position = len(keys)
                arguments += [
                    position,
                    end.crop_id or "",
                    end.track_id or "",
                    end.outcome.value,
                    "" if end.p_mask is None else f"{end.p_mask:.4f}",
                    end.captured_at_ms or "",
                    end.reason.value if end.reason else "",
                ]
            yield "verdicts", keys, arguments

    def _audit_call(self, ends: Sequence[End]) -> Iterator[tuple[str, list[str], list[object]]]:
        samples = [end for end in ends if end.audit]
        if samples:
            arguments: list[object] = [AUDIT_IDS_REMEMBERED]
            for end in samples:
                arguments += [end.crop_id or "", end.label.value if end.label else "", end.outcome.value, end.slice or ""]
            yield "audit", [audit_key(self._model), audit_seen_key(self._model)], arguments


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise  # we passed it nonsense: trying again would not help
    except RedisError as error:
        raise StoreError(told(error, "MASKGATE_REDIS")) from None
