"""Writes verdicts to Redis: one script call per camera and batch, all in one round trip.

Writing the same results again changes nothing but the history.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.connection import ConnectionInterface
from redis.exceptions import NoScriptError, ResponseError

from maskgate.protocol.verdict import ALIVE_KEY, attempts_key, audit_key
from maskgate.runtime.store import store_errors
from worker.result import CropResult
from worker.store.redis_clock import ClockReading
from worker.store.script_calls import ScriptCall, StoreSettings, script_calls

ALIVE_TTL_MS = 5000
#: Longer than a worker that dies of a crop may take to be started again, six times.
ATTEMPTS_TTL_MS = 3_600_000


class RedisVerdictStore:
    """Verdicts in Redis or Valkey."""

    def __init__(
        self, client: Redis, *, model: str, ttl_ms: int, max_skew_ms: int, history_length: int
    ) -> None:
        self._client = client
        self._settings = StoreSettings(model, ttl_ms, max_skew_ms, history_length)
        here = Path(__file__).parent
        prelude = (here / "call_or_replace.lua").read_bytes()
        self._scripts = {
            name: prelude + (here / f"{name}.lua").read_bytes() for name in ("verdicts", "audit")
        }
        # Redis names a script by its SHA-1.
        self._names = {
            name: hashlib.sha1(script, usedforsecurity=False).hexdigest()
            for name, script in self._scripts.items()
        }

    @contextmanager
    def writing(self, results: Sequence[CropResult]) -> Iterator[None]:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        calls = list(script_calls(results, self._settings))
        with store_errors():
            try:
                with self._running(calls):
                    yield
            except NoScriptError:
                # Redis was restarted or flushed. To repeat the calls that succeeded is harmless.
                for script in self._scripts.values():
                    self._client.script_load(script)
                with self._running(calls):
                    pass

    def attempt(self, crop_id: str) -> int:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        key = attempts_key(crop_id)
        with store_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.hincrby(key, "n", 1)
            pipe.pexpire(key, ATTEMPTS_TTL_MS)
            return int(pipe.execute()[0])

    def heartbeat(self) -> ClockReading:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        with store_errors():
            asked_s = time.monotonic()
            seconds, microseconds = self._client.time()
            reading = ClockReading(asked_s, seconds * 1000 + microseconds // 1000, time.monotonic())
            self._client.set(ALIVE_KEY, reading.redis_ms, px=ALIVE_TTL_MS)
        return reading

    def audit_counts(self) -> dict[str, int]:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        with store_errors():
            return {
                str(cell): int(count)
                for cell, count in self._client.hgetall(audit_key(self._settings.model)).items()
            }

    @contextmanager
    def _running(self, calls: Sequence[ScriptCall]) -> Iterator[None]:
        """Send all calls in one round trip; the body of the ``with`` runs while Redis works.

        redis-py's own pipeline blocks until the answers are there.
        """
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            commands = [
                ("EVALSHA", self._names[call.script], len(call.keys), *call.keys, call.argument)
                for call in calls
            ]
            packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]
            connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
            try:
                yield
            finally:
                errors = [error for _ in calls if (error := _answer(connection))]
            if errors:
                raise errors[0]
        finally:
            pool.release(connection)


def _answer(connection: ConnectionInterface) -> ResponseError | None:
    """Read one answer; returns it if it is an error.

    Raises:
        RedisError: the connection failed, and no more answers will come from it.
    """
    try:
        connection.read_response()
    except ResponseError as error:
        return error
    return None
