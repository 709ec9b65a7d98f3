"""Reads the people in front of one camera, and remembers what was decided about each."""

import math
from collections.abc import Iterable, Mapping

from redis import Redis

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
        since_ms, verdicts = self._read()
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

    def _read(self) -> tuple[Mapping[str, int], Mapping[str, Verdict]]:
        """Capture time of the first crop, and verdict, by track; without whom has left."""
        with gate_errors():
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrange(visits_key(self._camera), 0, MAX_TRACKS - 1, withscores=True)
                for track in self._visits:
                    pipe.hgetall(track_key(self._camera, track))
                found, *hashes = pipe.execute()
            since_ms = _index(found)
            read = dict(zip(self._visits, hashes, strict=True))
            read |= self._hashes(track for track in since_ms if track not in read)
        parsed = {track: self._parsed(track, read[track]) for track in since_ms}
        return since_ms, {track: each for track, each in parsed.items() if each is not None}

    def _hashes(self, tracks: Iterable[str]) -> dict[str, Mapping[str, str]]:
        came = list(tracks)
        if not came:
            return {}
        with self._redis.pipeline(transaction=False) as pipe:
            for track in came:
                pipe.hgetall(track_key(self._camera, track))
            return dict(zip(came, pipe.execute(), strict=True))

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
