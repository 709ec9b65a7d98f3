"""Reads the people in front of one camera, and remembers what was decided about each."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.client import Pipeline

from maskgate.gate.errors import gate_errors
from maskgate.gate.visit import MIN_CROPS, Visit, decide_visit
from maskgate.protocol.crop import is_id
from maskgate.protocol.evidence import MIN_EVIDENCE
from maskgate.protocol.verdict import (
    MAX_TRACKS,
    BadVerdictError,
    Verdict,
    parse_verdict,
    track_key,
    visits_key,
)
from maskgate.runtime.clock import Clock


class Visitors:
    """The visits of one camera. Made by :meth:`maskgate.gate.client.Gate.visitors`.

    A look is one round trip, or two when somebody came; it reads at most 32 tracks. What was
    decided about a track is forgotten when its verdict has expired.
    """

    def __init__(
        self,
        client: Redis,
        camera: str,
        *,
        clock: Clock,
        min_evidence: float = MIN_EVIDENCE,
        min_crops: int = MIN_CROPS,
    ) -> None:
        self._redis = client
        self._camera = camera
        self._clock = clock
        self._min_evidence = min_evidence
        self._min_crops = min_crops
        self._visits: dict[str, Visit] = {}

    def look(self) -> tuple[Visit, ...]:
        """Everybody who is in front of the camera now, with a decision; who came first is first.

        Raises:
            StoreError: Redis did not answer in time.
            BadVerdictError: a key holds something else than a verdict, or the index something else
                than tracks.
        """
        with gate_errors(), self._redis.pipeline(transaction=False) as pipe:
            self.ask(pipe)
            answers = pipe.execute()
            if came := self.came(answers):
                for track in came:
                    self.ask_about(pipe, track)
                answers += pipe.execute()
        return self.decide(answers)

    def ask(self, pipe: Pipeline) -> int:
        """Put the commands of a look into a pipeline; returns how many they are.

        For a reader of many cameras: what :meth:`came` names is asked next, with
        :meth:`ask_about`; :meth:`decide` gets all the answers in this order.
        """
        pipe.zrange(visits_key(self._camera), 0, MAX_TRACKS - 1, withscores=True)
        for track in self._visits:
            self.ask_about(pipe, track)
        return 1 + len(self._visits)

    def ask_about(self, pipe: Pipeline, track: str) -> None:
        """Put the command that reads a track into a pipeline."""
        pipe.hgetall(track_key(self._camera, track))

    def came(self, answers: Sequence[Any]) -> list[str]:
        """The tracks of the answers to :meth:`ask` that were not known.

        Raises:
            BadVerdictError: the index holds something else than tracks.
        """
        return [track for track in _index(answers[0]) if track not in self._visits]

    def decide(self, answers: Sequence[Any]) -> tuple[Visit, ...]:
        """What :meth:`look` returns.

        Raises:
            BadVerdictError: as :meth:`look`.
        """
        since_ms = _index(answers[0])
        asked = [*self._visits, *(track for track in since_ms if track not in self._visits)]
        read = dict(zip(asked, answers[1:], strict=True))
        parsed = {track: self._parsed(track, read[track]) for track in since_ms}
        verdicts = {track: each for track, each in parsed.items() if each is not None}
        now_ms = self._clock()
        visits = [
            decide_visit(
                self._visits.get(track),
                verdict,
                now_ms,
                since_ms=since_ms[track],
                min_evidence=self._min_evidence,
                min_crops=self._min_crops,
            )
            for track, verdict in verdicts.items()
        ]
        self._visits = {visit.track: visit for visit in visits}
        return tuple(sorted(visits, key=lambda visit: (visit.since_ms, visit.track)))

    def _parsed(self, track: str, fields: Mapping[str, str]) -> Verdict | None:
        verdict = parse_verdict(fields)
        if verdict is not None and verdict.track_id != track:
            msg = f"{track_key(self._camera, track)} holds a verdict of track {verdict.track_id}"
            raise BadVerdictError(msg)
        return verdict


def _index(found: Iterable[tuple[str, float]]) -> dict[str, int]:
    since_ms = {}
    for track, score in found:
        if not is_id(track) or not math.isfinite(score):
            msg = f"not an index of visits: track {track!r} since {score}"
            raise BadVerdictError(msg)
        since_ms[track] = int(score)
    return since_ms
