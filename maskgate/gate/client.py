"""Reads verdicts from Redis. Every call is bounded by its timeout.

The key holds the verdict. A wake-up over pub/sub only says that it is worth reading again.
"""

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Self

from maskgate.gate.decide import Action, Decision, decide, is_fresh, with_camera
from maskgate.gate.errors import gate_errors
from maskgate.gate.history import BLOCK_S, Gap, follow, newest
from maskgate.gate.ids import key_of
from maskgate.gate.visit import MIN_CROPS, Visit
from maskgate.gate.visitors import Visitors
from maskgate.gate.wake_ups import turns
from maskgate.protocol.camera_state import CameraState, camera_key, parse_fields
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.evidence import MIN_EVIDENCE
from maskgate.protocol.verdict import (
    ALIVE_KEY,
    BadVerdictError,
    HistoryEntry,
    Verdict,
    history_key,
    parse_verdict,
)
from maskgate.runtime.clock import Clock, now_ms
from maskgate.runtime.store import connect
from maskgate.runtime.tls import NO_FILES, TlsFiles


class Gate:
    """Reads the verdicts of a door's cameras. Connects when first used; not thread-safe.

    ``timeout_s`` bounds every answer of Redis; there are no retries. The system's look-up of a host
    name is not bounded: give a door an address, or an entry in its hosts file.

    Raises:
        ConfigurationError: the URL or the TLS files can't be used.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        password: str | None = None,
        *,
        timeout_s: float = 0.3,
        tls: TlsFiles = NO_FILES,
        clock: Clock = now_ms,
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._redis = connect(url, password, name="gate", timeout_s=timeout_s, tls=tls)
        # Blocking reads take longer than other answers may.
        self._following = connect(
            url, password, name="gate-follow", timeout_s=timeout_s + BLOCK_S, tls=tls
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._redis.close()
        self._following.close()

    def latest(self, camera: str, track: str | None = None) -> Verdict | None:
        """The latest verdict of a camera, or of one of its tracks; None if there is none.

        Raises:
            BadIdError: not a valid camera or track id.
            StoreError: Redis did not answer in time.
            BadVerdictError: the key holds something else than a verdict.
        """
        key = key_of(camera, track)
        with gate_errors():
            # decode_responses is on: all text is str.
            fields: dict[str, str] = self._redis.hgetall(key)  # type: ignore[assignment]
        verdict = parse_verdict(fields)
        if verdict is not None and track not in (None, verdict.track_id):
            msg = f"{key} holds a verdict of track {verdict.track_id}"
            raise BadVerdictError(msg)
        return verdict

    def wait(
        self,
        camera: str,
        track: str | None = None,
        timeout_s: float = 2.0,
        *,
        newer_than_ms: int | None = None,
    ) -> Verdict | None:
        """The first fresh verdict within the timeout, or None. An existing one returns at once.

        ``newer_than_ms`` ignores crops captured until then: the person before. If Redis freezes
        meanwhile, the call takes one ``timeout_s`` of the gate longer.

        Raises:
            BadIdError, StoreError, BadVerdictError: as :meth:`latest`.
        """
        with closing(self._looks(camera, track, timeout_s, newer_than_ms)) as looks:
            return next(
                (
                    verdict
                    for verdict in looks
                    if verdict is not None and is_fresh(verdict, self._clock())
                ),
                None,
            )

    def decision(
        self,
        camera: str,
        track: str | None = None,
        *,
        timeout_s: float = 0.0,
        min_evidence: float = MIN_EVIDENCE,
        newer_than_ms: int | None = None,
    ) -> Decision:
        """What the door does now. With a timeout, waits for the first decision but "manual".

        Never raises: every failure returns manual at once, with its reason. Without a verdict, one
        more read tells whether the camera is down.
        """
        decision = decide(None, 0)
        try:
            with closing(self._looks(camera, track, timeout_s, newer_than_ms)) as looks:
                for verdict in looks:
                    decision = decide(verdict, self._clock(), min_evidence=min_evidence)
                    if decision.action is not Action.MANUAL:
                        break
        except MaskgateError as error:
            return Decision(Action.MANUAL, str(error))
        except Exception as error:  # noqa: BLE001  (a door must get an answer, whatever went wrong)
            return Decision(Action.MANUAL, f"{type(error).__name__}: {error}")
        return decision if decision.verdict else self._without_verdict(camera, decision)

    def follow(self, camera: str, since: str = "$") -> Iterator[HistoryEntry | Gap | None]:
        """Every finished crop from now on, or since an entry of the stream; never ends.

        Yields None when nothing came for half a second, and a :class:`Gap` where entries may be
        missing because this reader was too slow. Delivery is at least once: a reader that counts
        must drop repeated crop ids.

        Raises:
            BadIdError, StoreError, BadVerdictError: as :meth:`latest`.
        """
        key_of(camera)
        key = history_key(camera)
        start = newest(self._redis, key) if since == "$" else since
        return follow(self._following, key, start)

    def visits(
        self,
        camera: str,
        *,
        min_evidence: float = MIN_EVIDENCE,
        min_crops: int = MIN_CROPS,
        every_s: float = math.inf,
    ) -> Generator[tuple[Visit, ...], None, None]:
        """The people in front of a camera with a decision about each; never ends by itself.

        Yields at once, and again when somebody comes, has a new verdict, gets another decision or
        leaves; the empty tuple when nobody is there. Who came first is first. ``every_s`` yields
        unchanged visits again after that time, for a reader with more to do. A person stays until
        the verdict of the last crop expires. The camera must track: without, there are no visits.

        What to do with the door is :func:`maskgate.gate.visit.together`. A frozen Redis raises and
        ends the iterator; a new one begins without what was decided before.

        Raises:
            BadIdError, StoreError, BadVerdictError: as :meth:`latest`.
        """
        visitors = self.visitors(camera, min_evidence=min_evidence, min_crops=min_crops)
        return self._changes(visitors, camera, every_s)

    def visitors(
        self, camera: str, *, min_evidence: float = MIN_EVIDENCE, min_crops: int = MIN_CROPS
    ) -> Visitors:
        """As :meth:`visits`, for a reader that looks when it likes.

        Raises:
            BadIdError: not a valid camera id.
        """
        key_of(camera)
        return Visitors(
            self._redis,
            camera,
            clock=self._clock,
            min_evidence=min_evidence,
            min_crops=min_crops,
        )

    def camera_state(self, camera: str) -> CameraState | None:
        """How a camera is, by its own process; None if nothing was heard of it for 15 s.

        Cameras that send crops without maskgate's camera process have no state.

        Raises:
            BadIdError: not a valid camera id.
            StoreError: Redis did not answer in time.
            BadCameraStateError: the key holds something else.
            BadVerdictError: it holds what is not text.
        """
        key_of(camera)
        with gate_errors():
            fields: dict[str, str] = self._redis.hgetall(camera_key(camera))  # type: ignore[assignment]
        return parse_fields(fields)

    def workers_alive(self) -> bool:
        """Whether any worker is running: without one, no verdict does not mean an empty door.

        Raises:
            StoreError: Redis did not answer in time.
        """
        with gate_errors():
            return self._redis.get(ALIVE_KEY) is not None

    def _without_verdict(self, camera: str, decision: Decision) -> Decision:
        """The same decision, with the camera's trouble as its reason if it is known."""
        try:
            state = self.camera_state(camera)
        except Exception:  # noqa: BLE001  (it is manual anyway)
            return decision
        return with_camera(decision, state)

    def _changes(
        self, visitors: Visitors, camera: str, every_s: float
    ) -> Generator[tuple[Visit, ...], None, None]:
        shown, due_s = None, -math.inf
        with closing(self._turns(camera, math.inf)) as looks:
            for _ in looks:
                visits = visitors.look()
                news = [(visit.action, visit.verdict) for visit in visits]
                if news != shown or time.monotonic() >= due_s:
                    shown, due_s = news, time.monotonic() + every_s
                    yield visits

    def _looks(
        self, camera: str, track: str | None, timeout_s: float, newer_than_ms: int | None
    ) -> Generator[Verdict | None, None, None]:
        """The verdict now, after each wake-up, every 0.1 s, and once more at the timeout."""
        key_of(camera, track)
        with closing(self._turns(camera, timeout_s)) as looks:
            for _ in looks:
                yield _newer(self.latest(camera, track), newer_than_ms)

    def _turns(self, camera: str, timeout_s: float) -> Generator[None, None, None]:
        return turns(self._redis, camera, timeout_s, confirm_s=self._timeout_s)


def _newer(verdict: Verdict | None, than_ms: int | None) -> Verdict | None:
    return (
        None
        if verdict is not None and than_ms is not None and verdict.captured_at_ms <= than_ms
        else verdict
    )
