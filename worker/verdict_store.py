"""Where verdicts go: one script call a camera and batch, all in one round trip; writing twice changes nothing."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import msgpack
from redis import Redis
from redis.connection import ConnectionInterface
from redis.exceptions import DataError, NoScriptError, RedisError, ResponseError

from maskgate.protocol.errors import StoreError
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    NO_CAMERA,
    Outcome,
    audit_key,
    audit_seen_key,
    history_key,
    track_key,
    verdict_key,
)
from maskgate.runtime.tls_trouble import told
from worker.classify import End
from worker.redis_clock import ClockReading

#: A camera that is taken down leaves its history for a day.
HISTORY_TTL_MS = 24 * 3600 * 1000
#: Redeliveries come within seconds; this many crop ids cover days of audit samples.
AUDIT_IDS_REMEMBERED = 100_000
ALIVE_TTL_MS = 5000
#: Script, keys, arguments.
_Call: TypeAlias = tuple[str, list[str], list[object]]
_WITHOUT_VERDICT = (Outcome.UNREADABLE, Outcome.EXPIRED)


class VerdictStore(Protocol):
    """What the worker needs of Redis."""

    def writing(self, ends: Sequence[End]) -> AbstractContextManager[None]:
        """Send every end on entry, wait for Redis's answers on exit: then each is readable.

        The body of the ``with`` runs while Redis works.

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

    def __init__(
        self, client: Redis, *, model: str, ttl_ms: int, max_skew_ms: int, history_length: int
    ) -> None:
        self._client = client
        self._model = model
        self._fixed = (ttl_ms, max_skew_ms, history_length, HISTORY_TTL_MS, model)
        here = Path(__file__).parent
        ours = (here / "ours.lua").read_bytes()
        self._scripts = {
            name: ours + (here / f"{name}.lua").read_bytes() for name in ("verdicts", "audit")
        }
        # Redis names a script by its SHA-1.
        self._names = {
            name: hashlib.sha1(script, usedforsecurity=False).hexdigest()
            for name, script in self._scripts.items()
        }

    def write(self, ends: Sequence[End]) -> None:
        """As :meth:`writing`, with nothing to do while Redis works."""
        with self.writing(ends):
            pass

    @contextmanager
    def writing(self, ends: Sequence[End]) -> Iterator[None]:
        """See :class:`VerdictStore`."""
        calls = [*self._verdict_calls(ends), *self._audit_call(ends)]
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
        """All calls in one round trip: a pipeline that leaves its caller free while Redis works."""
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            commands = [
                ("EVALSHA", self._names[name], len(keys), *keys, *arguments)
                for name, keys, arguments in calls
            ]
            connection.send_packed_command(connection.pack_commands(commands))  # type: ignore[no-untyped-call]
            try:
                yield
            finally:
                errors = [error for _ in calls if (error := _answer(connection))]
            if errors:
                raise errors[0]
        finally:
            pool.release(connection)

    def _verdict_calls(self, ends: Sequence[End]) -> Iterator[_Call]:
        by_camera: dict[str, list[End]] = defaultdict(list)
        for end in ends:
            if not end.audit:
                by_camera[end.camera_id or NO_CAMERA].append(end)
        for camera_id, its_ends in by_camera.items():
            keys = [verdict_key(camera_id), history_key(camera_id)]
            positions: dict[str, int] = {}
            crops: list[object] = []
            for end in its_ends:
                position, track_id = 0, end.track_id or ""
                if end.outcome not in _WITHOUT_VERDICT:
                    position = positions.get(track_id, 0)
                    if not position:
                        keys.append(track_key(camera_id, track_id))
                        position = positions[track_id] = len(keys)
                crops += (
                    position,
                    end.crop_id or "",
                    track_id,
                    end.outcome.value,
                    "" if end.p_mask is None else f"{end.p_mask:.4f}",
                    str(end.captured_at_ms or ""),
                    end.reason.value if end.reason else "",
                )
            # One argument for all: a driver takes longer to write each of its own than the crop took to be checked.
            arguments: list[object] = [*self._fixed, msgpack.encode(crops)]
            yield "verdicts", keys, arguments

    def _audit_call(self, ends: Sequence[End]) -> Iterator[_Call]:
        samples = [end for end in ends if end.audit]
        if samples:
            arguments: list[object] = [AUDIT_IDS_REMEMBERED]
            for end in samples:
                arguments += [
                    end.crop_id or "",
                    end.label.value if end.label else "",
                    end.outcome.value,
                    end.slice or "",
                ]
            yield "audit", [audit_key(self._model), audit_seen_key(self._model)], arguments


def _answer(connection: ConnectionInterface) -> ResponseError | None:
    """The next answer, if it is an error. A connection that fails raises: no more answers will come from it."""
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
        raise  # we passed it nonsense: trying again would not help
    except RedisError as error:
        raise StoreError(told(error, "MASKGATE_REDIS")) from None
