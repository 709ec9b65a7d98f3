"""Writes verdicts and camera states to Redis: one function call per camera, all in one round trip.

Writing the same results again changes nothing but the history.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.connection import ConnectionInterface
from redis.exceptions import ResponseError

from maskgate.audit.counts import read_counts
from maskgate.protocol.camera_state import SentState
from maskgate.protocol.errors import StoreError
from maskgate.protocol.models import MODELS_KEY, WORKERS_KEY
from maskgate.protocol.verdict import ALIVE_KEY, attempts_key
from maskgate.redis_functions import library
from maskgate.runtime.clock import Clock, now_ms
from maskgate.runtime.store import store_errors
from worker.models.succession import Succession
from worker.result import CropResult
from worker.store.audit_counts import AuditNames
from worker.store.function_calls import (
    FunctionCall,
    StoreSettings,
    function_calls,
    state_calls,
)
from worker.store.history_budget import HistoryBudget
from worker.store.pair_counts import Pairs, pair_argument, pair_keys
from worker.store.redis_clock import ClockReading

ALIVE_TTL_MS = 5000
#: Longer than a worker that dies of a crop may take to be started again, six times.
ATTEMPTS_TTL_MS = 3_600_000


class RedisVerdictStore:
    """Verdicts in Redis or Valkey.

    ``clock`` is Redis's time, for the day and hour in which audit samples are counted;
    ``audit_slices`` are the slices that are counted by name. ``succession`` says with each
    heartbeat which models the worker holds, and learns who is champion.
    """

    def __init__(
        self,
        client: Redis,
        *,
        model: str,
        ttl_ms: int,
        max_skew_ms: int,
        history: HistoryBudget,
        audit_slices: Collection[str] = (),
        clock: Clock = now_ms,
        succession: Succession | None = None,
    ) -> None:
        self._client = client
        self._history = history
        self._clock = clock
        self._audit_names = AuditNames(audit_slices)
        self._settings = StoreSettings(model, ttl_ms, max_skew_ms, history.length)
        self._library = library()
        self._succession = succession

    def serve(self, model: str) -> None:
        """From now on, all that is written was decided by the model with this name."""
        self._settings.model = model

    @contextmanager
    def writing(
        self, results: Sequence[CropResult], states: Sequence[SentState] = ()
    ) -> Iterator[None]:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        calls = list(
            function_calls(results, self._settings, names=self._audit_names, now_ms=self._clock())
        )
        if states:
            calls += state_calls(states, self._settings.max_skew_ms)
        with store_errors(), self._running(calls):
            yield

    def attempt(self, crop_id: str) -> int:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        return self._call("attempt", attempts_key(crop_id), ATTEMPTS_TTL_MS)

    def heartbeat(self) -> ClockReading:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        asked_s = time.monotonic()
        redis_ms = self._call("heartbeat", ALIVE_KEY, ALIVE_TTL_MS)
        reading = ClockReading(asked_s, redis_ms, time.monotonic())
        self._history.observe(self._memory_and_models())
        self._settings.history_length = self._history.length
        return reading

    def count_pairs(self, champion: str, challenger: str, pairs: Pairs) -> None:
        """See :class:`worker.models.shadow.PairStore`."""
        keys = pair_keys(champion, challenger)
        self._fcall("pairs", keys, pair_argument(pairs))

    def audit_counts(self) -> Mapping[str, Mapping[str, float]]:
        """See :class:`worker.store.verdict_store.VerdictStore`."""
        with store_errors():
            return read_counts(self._client, self._settings.model, self._clock()).windows

    @contextmanager
    def _running(self, calls: Sequence[FunctionCall]) -> Iterator[None]:
        """Send all calls in one round trip; the body of the ``with`` runs while Redis works.

        redis-py's own pipeline blocks until the answers are there.
        """
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            commands = [
                (
                    "FCALL",
                    self._library.function(call.function),
                    len(call.keys),
                    *call.keys,
                    call.argument,
                )
                for call in calls
            ]
            packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]
            connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
            try:
                yield
            finally:
                errors = [error for _ in calls if (error := _answer(connection))]
            if errors:
                raise self._told(errors[0])
        finally:
            pool.release(connection)

    def _memory_and_models(self) -> Mapping[str, int]:
        """Redis's memory, and who is champion, in one round trip."""
        with store_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.info("memory")
            if self._succession:
                function, keys = self._library.function("models"), (MODELS_KEY, WORKERS_KEY)
                pipe.fcall(function, len(keys), *keys, self._succession.argument())
            memory, *answers = pipe.execute(raise_on_error=False)
            if isinstance(memory, Exception):
                raise memory
        if self._succession:
            self._learn(self._succession, answers[0])
        found: Mapping[str, int] = memory
        return found

    def _learn(self, succession: Succession, answer: Exception | list[str]) -> None:
        """Verdicts do not depend on it: an older ACL, for example, refuses this call alone."""
        if isinstance(answer, Exception):
            succession.failed(answer)
        else:
            succession.learn(answer)

    def _call(self, function: str, key: str, argument: int) -> int:
        return int(self._fcall(function, [key], argument))

    def _fcall(self, function: str, keys: Sequence[str], argument: int | bytes) -> Any:
        with store_errors():
            try:
                name = self._library.function(function)
                return self._client.fcall(name, len(keys), *keys, argument)
            except ResponseError as error:
                raise self._told(error) from None

    def _told(self, error: ResponseError) -> Exception:
        if "Function not found" not in str(error):
            return error
        msg = f"Redis lacks the functions {self._library.name}: run 'maskgate functions'"
        return StoreError(msg)


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
