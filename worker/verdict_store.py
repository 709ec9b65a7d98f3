"""Writes verdicts to Redis: one script call per camera and batch, all in one round trip.

Writing the same results again changes nothing but the history.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import msgpack
from redis import Redis
from redis.connection import ConnectionInterface
from redis.exceptions import DataError, NoScriptError, RedisError, ResponseError

from maskgate.protocol.errors import StoreError
from maskgate.protocol.queue import QueueKind
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    NO_CAMERA,
    audit_key,
    audit_seen_key,
    history_key,
    track_key,
    verdict_key,
)
from maskgate.runtime.tls_trouble import told
from worker.redis_clock import ClockReading
from worker.result import CropResult

#: The history of a camera that was removed is deleted after a day.
HISTORY_TTL_MS = 24 * 3600 * 1000
#: Redeliveries come within seconds; this many crop ids cover days of audit samples.
AUDIT_IDS_REMEMBERED = 100_000
ALIVE_TTL_MS = 5000


class _VerdictBatch(msgspec.Struct, gc=False):
    """The argument of ``verdicts.lua``."""

    ttl_ms: int
    max_skew_ms: int
    history_length: int
    history_ttl_ms: int
    model: str
    track_keys: dict[str, int]
    crops: list[CropResult]


class _AuditBatch(msgspec.Struct, gc=False):
    """The argument of ``audit.lua``."""

    samples: list[CropResult]
    ids_remembered: int = AUDIT_IDS_REMEMBERED


class _Call(NamedTuple):
    """One call of a script; ``argument`` is a MessagePack map."""

    script: str
    keys: list[str]
    argument: bytes


class VerdictStore(Protocol):
    """What the worker needs Redis for."""

    def writing(self, results: Sequence[CropResult]) -> AbstractContextManager[None]:
        """Send all results on entry and wait for Redis's answers on exit.

        The body of the ``with`` runs while Redis works. After it, doors can read every verdict.

        Raises:
            StoreError: a result may not be written. It is safe to write all of them again.
        """

    def heartbeat(self) -> ClockReading:
        """Set the key that tells doors that a worker is running, and read Redis's clock.

        Raises:
            StoreError: Redis did not answer.
        """

    def audit_counts(self) -> dict[str, int]:
        """The confusion matrix over all workers: see ``worker.audit``.

        Raises:
            StoreError: Redis did not answer.
        """


class RedisVerdictStore:
    """Verdicts in Redis or Valkey."""

    def __init__(
        self, client: Redis, *, model: str, ttl_ms: int, max_skew_ms: int, history_length: int
    ) -> None:
        self._client = client
        self._model = model
        self._fixed: dict[str, Any] = {
            "ttl_ms": ttl_ms,
            "max_skew_ms": max_skew_ms,
            "history_length": history_length,
            "history_ttl_ms": HISTORY_TTL_MS,
            "model": model,
        }
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

    def write(self, results: Sequence[CropResult]) -> None:
        """Write results, for a caller with nothing to do while Redis works."""
        with self.writing(results):
            pass

    @contextmanager
    def writing(self, results: Sequence[CropResult]) -> Iterator[None]:
        """See :class:`VerdictStore`."""
        calls = [*self._verdict_calls(results), *self._audit_call(results)]
        with _store_errors():
            try:
                with self._running(calls):
                    yield
            except NoScriptError:
                # Redis was restarted or flushed. To repeat the calls that succeeded is harmless.
                for script in self._scripts.values():
                    self._client.script_load(script)
                with self._running(calls):
                    pass

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
            return {
                str(cell): int(count)
                for cell, count in self._client.hgetall(audit_key(self._model)).items()
            }

    @contextmanager
    def _running(self, calls: Sequence[_Call]) -> Iterator[None]:
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

    def _verdict_calls(self, results: Sequence[CropResult]) -> Iterator[_Call]:
        by_camera: dict[str, list[CropResult]] = defaultdict(list)
        for result in results:
            if result.queue is QueueKind.LIVE:
                by_camera[result.camera_id or NO_CAMERA].append(result)
        for camera_id, crops in by_camera.items():
            keys = [verdict_key(camera_id), history_key(camera_id)]
            track_keys: dict[str, int] = {}
            for track_id in {crop.track_id: None for crop in crops if crop.has_verdict}:
                keys.append(track_key(camera_id, str(track_id)))
                track_keys[str(track_id)] = len(keys)  # Lua counts from 1
            batch = _VerdictBatch(**self._fixed, track_keys=track_keys, crops=crops)
            yield _Call("verdicts", keys, msgpack.encode(batch))

    def _audit_call(self, results: Sequence[CropResult]) -> Iterator[_Call]:
        samples = [result for result in results if result.queue is QueueKind.AUDIT]
        if samples:
            keys = [audit_key(self._model), audit_seen_key(self._model)]
            yield _Call("audit", keys, msgpack.encode(_AuditBatch(samples)))


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


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise  # a value that redis-py can't encode is a bug: to try again would not help
    except RedisError as error:
        raise StoreError(told(error, "MASKGATE_REDIS")) from None
