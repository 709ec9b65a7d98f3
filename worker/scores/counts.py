"""Counts the probabilities of live crops by camera and model, in memory."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from maskgate.protocol.queue import QueueKind
from maskgate.protocol.scores import BINS, EDGES, OUTCOMES
from worker.result import CropResult

#: Crops of further cameras are not counted in this second: a sender of many can't fill the memory.
MAX_CAMERAS = 1024
#: A camera's latest tracks, here and in Redis: a track that is among them is no new visit.
TRACKS_KEPT = 64
#: Where the bins of an outcome begin in :attr:`CameraCounts.bins`.
FIRST_BIN = {outcome: number * BINS for number, outcome in enumerate(OUTCOMES)}


@dataclass(slots=True)
class CameraCounts:
    """What was counted of one camera and model.

    ``bins`` has the bins of each outcome, one after another; ``p_sums`` the sums of probabilities
    by the place where an outcome begins there. ``tracks`` are those first seen here, ``untracked``
    is the number of crops without a track.
    """

    bins: list[int] = field(default_factory=lambda: [0] * (BINS * len(OUTCOMES)))
    p_sums: dict[int, float] = field(default_factory=lambda: dict.fromkeys(FIRST_BIN.values(), 0.0))
    tracks: list[str] = field(default_factory=list)
    untracked: int = 0


#: (Camera, model) → counts.
Counts = dict[tuple[str, str], CameraCounts]


class ScoreCounter:
    """Adds up until :meth:`take`."""

    def __init__(self) -> None:
        self._counts: Counts = {}
        #: Camera → its latest tracks, oldest first.
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, results: Iterable[CropResult], model: str) -> None:
        """Count the live crops that this model classified. Fast: it runs for every crop."""
        counts, first, edges, live = self._counts, FIRST_BIN, EDGES, QueueKind.LIVE
        camera_id, camera, seen = None, CameraCounts(), dict[str, None]()
        for result in results:
            p_mask = result.p_mask
            if p_mask is None or result.queue is not live:
                continue
            if result.camera_id != camera_id:
                camera_id = result.camera_id or ""
                camera = counts.get((camera_id, model)) or self._begin(camera_id, model)
                seen = self._seen.get(camera_id) or self._seen.setdefault(camera_id, {})
            place = first[result.outcome]
            camera.bins[place + bisect_right(edges, p_mask)] += 1
            camera.p_sums[place] += p_mask
            if result.track_id not in seen:
                _visit(camera, seen, result)

    def take(self) -> Counts:
        """What was counted since the last call."""
        taken, self._counts = self._counts, {}
        if len(self._seen) > MAX_CAMERAS:
            self._seen.clear()
        return taken

    def _begin(self, camera_id: str, model: str) -> CameraCounts:
        camera = CameraCounts()
        if len(self._counts) < MAX_CAMERAS:
            self._counts[camera_id, model] = camera
        return camera


def _visit(camera: CameraCounts, seen: dict[str, None], result: CropResult) -> None:
    track_id = result.track_id
    if track_id is None or track_id == result.crop_id or len(camera.tracks) == TRACKS_KEPT:
        camera.untracked += 1
        return
    camera.tracks.append(track_id)
    seen[track_id] = None
    if len(seen) > TRACKS_KEPT:
        del seen[next(iter(seen))]
