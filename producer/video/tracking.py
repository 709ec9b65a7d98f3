"""Follows faces from frame to frame, so that the crops of one person share a track id.

Each face goes on with the track whose expected place and size it fits best, the best pair first.
Faces of a door are few and large, so this suffices; docs/adr/0041 says why no library does it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from maskgate.protocol.crop import new_crop_id
from producer.video.frame import Face, Point

#: A track without a face for so long has ended. Somebody else may stand there by then.
LOST_AFTER_MS = 1000
#: A weaker face continues a track, and begins none, as in ByteTrack (Zhang et al., ECCV 2022).
BEGIN_SCORE = 0.6
#: A face is confirmed when it is found again after so long, or with this score.
_CONFIRMED_MS, _SURE_SCORE = 250, 0.8
#: How far a face may be from its expected place, in face widths, and how much larger it may be.
_MAX_DISTANCE, _MAX_RATIO = 0.8, 1.7
#: How much of a movement is expected to go on.
_INERTIA = 0.5
#: A face's movement is not extrapolated for longer.
_MAX_STEP_MS = 300


@dataclass(slots=True)
class Track:
    """A face that is followed. Its id is never used again.

    ``confirmed``: the face was found again, with a high score or some time later. Lamps are found
    once, and the fist of somebody who puts a mask on for a tenth of a second.
    """

    track_id: str
    face: Face
    first_ms: int
    seen_ms: int
    confirmed: bool = False
    velocity: Point = (0.0, 0.0)  # pixels a millisecond


class Tracker:
    """The tracks of one camera."""

    def __init__(
        self, *, lost_after_ms: int = LOST_AFTER_MS, new_id: Callable[[], str] = new_crop_id
    ) -> None:
        self.tracks: list[Track] = []
        self._lost_after_ms = lost_after_ms
        self._new_id = new_id

    def update(self, faces: Sequence[Face], at_ms: int) -> list[Track]:
        """Continue, begin and end tracks; returns those that have a face here.

        ``at_ms`` is the time of the frame. Time may stand still, but not go back.
        """
        self.tracks = [t for t in self.tracks if at_ms - t.seen_ms <= self._lost_after_ms]
        unmatched = dict(enumerate(faces))
        free = dict(enumerate(self.tracks))
        for _, face, track in sorted(_pairs(unmatched.items(), free.items(), at_ms)):
            if face in unmatched and track in free:
                _continue(free.pop(track), unmatched.pop(face), at_ms)
        for begun in unmatched.values():
            if begun.score < BEGIN_SCORE:
                continue
            self.tracks.append(Track(self._new_id(), begun, at_ms, at_ms))
        return [track for track in self.tracks if track.seen_ms == at_ms]

    def end_all(self) -> None:
        """End every track: the picture is another one, or the camera was away."""
        self.tracks = []


def _pairs(
    faces: Iterable[tuple[int, Face]], tracks: Iterable[tuple[int, Track]], at_ms: int
) -> list[tuple[float, int, int]]:
    """Cost, face and track of every pair that may be one person."""
    known = list(tracks)
    return [
        (cost, i, j)
        for i, face in faces
        for j, track in known
        if (cost := _cost(face, track, at_ms)) is not None
    ]


def _cost(face: Face, track: Track, at_ms: int) -> float | None:
    """How badly a face fits a track, from 0; None if it can't be the same face."""
    ratio = max(face.width / track.face.width, track.face.width / face.width)
    distance = math.dist(face.centre, _expected(track, at_ms)) / max(face.width, track.face.width)
    if ratio > _MAX_RATIO or distance > _MAX_DISTANCE:
        return None
    return distance + math.log(ratio)


def _expected(track: Track, at_ms: int) -> Point:
    step_ms = _INERTIA * min(at_ms - track.seen_ms, _MAX_STEP_MS)
    (x, y), (dx, dy) = track.face.centre, track.velocity
    return x + dx * step_ms, y + dy * step_ms


def _continue(track: Track, face: Face, at_ms: int) -> None:
    if elapsed_ms := at_ms - track.seen_ms:
        (x0, y0), (x1, y1) = track.face.centre, face.centre
        track.velocity = (x1 - x0) / elapsed_ms, (y1 - y0) / elapsed_ms
    track.face, track.seen_ms = face, at_ms
    track.confirmed |= at_ms - track.first_ms >= _CONFIRMED_MS or face.score >= _SURE_SCORE
