"""All doors of a site at once, for whoever watches them: each decided as the gate decides it.

A door itself asks :class:`maskgate.gate.client.Gate`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from maskgate.gate.decide import Action, Decision, decide, with_camera
from maskgate.gate.errors import gate_errors
from maskgate.gate.ids import key_of
from maskgate.gate.visit import Visit
from maskgate.gate.visitors import Visitors
from maskgate.protocol.camera_state import CameraState, camera_key, parse_fields
from maskgate.protocol.errors import MaskgateError
from maskgate.protocol.verdict import ALIVE_KEY, parse_verdict
from maskgate.runtime.clock import Clock, now_ms

T = TypeVar("T")
_NOBODY: tuple[Visit, ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """What is known about one camera's door."""

    camera: str
    decision: Decision
    visits: tuple[Visit, ...] = ()
    state: CameraState | None = None
    #: What is wrong with the keys of the visits or the state; the decision does not need them.
    trouble: str = ""


class Doors:
    """Reads many cameras in two round trips; not thread-safe."""

    def __init__(self, client: Redis, *, clock: Clock = now_ms) -> None:
        self._redis, self._clock = client, clock
        self._visitors: dict[str, Visitors] = {}

    def look(self, cameras: Iterable[str]) -> tuple[bool, list[Door]]:
        """Whether a worker is running, and each door, in the order of ``cameras``.

        A verdict that can't be read is a manual decision with the reason.

        Raises:
            BadIdError: not a valid camera id.
            StoreError: Redis did not answer in time.
            BadVerdictError: a value is not text.
        """
        self._watch(cameras)
        with gate_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.get(ALIVE_KEY)
            counts = [self._ask(pipe, camera) for camera in self._visitors]
            alive, *answers = pipe.execute(raise_on_error=False)
            _sound(alive)
            parts = [_Answers.of(part) for part in _split(answers, counts)]
            came = self._ask_about_who_came(pipe, parts)
            for part, more in zip(parts, _split(pipe.execute(False), came), strict=True):
                part.visits += more
        doors = map(self._door, self._visitors, self._visitors.values(), parts)
        return alive is not None, list(doors)

    def _watch(self, cameras: Iterable[str]) -> None:
        """Keep what was decided about the visits of cameras that are still asked for."""
        known = self._visitors
        self._visitors = {
            camera: known.get(camera) or Visitors(self._redis, camera, clock=self._clock)
            for camera in cameras
        }

    def _ask(self, pipe: Pipeline, camera: str) -> int:
        pipe.hgetall(key_of(camera))
        pipe.hgetall(camera_key(camera))
        return 2 + self._visitors[camera].ask(pipe)

    def _ask_about_who_came(self, pipe: Pipeline, parts: "Sequence[_Answers]") -> list[int]:
        counts = []
        for visitors, part in zip(self._visitors.values(), parts, strict=True):
            try:
                _sound(part.visits[0])
                came = visitors.came(part.visits)
            except (MaskgateError, RedisError):
                came = []  # _door() says so
            for track in came:
                visitors.ask_about(pipe, track)
            counts.append(len(came))
        return counts

    def _door(self, camera: str, visitors: Visitors, part: "_Answers") -> Door:
        state, state_trouble = _tried(lambda: parse_fields(_sound(part.state)), None)
        visits, visits_trouble = _tried(
            lambda: visitors.decide([_sound(answer) for answer in part.visits]), _NOBODY
        )
        verdict, trouble = _tried(lambda: parse_verdict(_sound(part.verdict)), None)
        decision = Decision(Action.MANUAL, trouble) if trouble else decide(verdict, self._clock())
        return Door(
            camera, with_camera(decision, state), visits, state, state_trouble or visits_trouble
        )


@dataclass(slots=True)
class _Answers:
    """Redis's answers about one camera; an error of Redis stands where it is the answer."""

    verdict: Any
    state: Any
    visits: list[Any]

    @classmethod
    def of(cls, answers: Sequence[Any]) -> "_Answers":
        return cls(answers[0], answers[1], list(answers[2:]))


def _split(answers: Sequence[Any], counts: Iterable[int]) -> list[Sequence[Any]]:
    parts, begin = [], 0
    for count in counts:
        parts.append(answers[begin : begin + count])
        begin += count
    return parts


def _sound(answer: Any) -> Any:
    """The answer, unless it is an error of Redis: that is raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def _tried(read: Callable[[], T], otherwise: T) -> tuple[T, str]:
    """What is read, and what is wrong with it."""
    try:
        return read(), ""
    except (MaskgateError, RedisError) as error:
        return otherwise, str(error)
