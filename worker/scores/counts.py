"""Counts the probabilities of live crops by camera and model, in memory."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from maskgate.protocol.queue import QueueKind
from maskgate.protocol.scores import BINS, EDGES, OUTCOMES
from worker.result import CropResult

#: Crops of further cameras are not counted in this second: a sender of many can't fill the memory.
MAX_CAMERAS = 1024
#: A camera's latest tracks, here and in Redis: a track that is among them is no new visit.
TRACKS_KEPT = 64
#: Results that are counted together.
_WAITING = 1024
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
    """Adds up until :meth:`take`.

    Results wait until there are many: a loop over a thousand costs each a third of what loops over
    a few between other work do.
    """

    def __init__(self) -> None:
        self._waiting: list[CropResult] = []
        self._model = ""
        self._counts: Counts = {}
        #: Camera → what is counted of it with this model, and its latest tracks, oldest first.
        self._open: dict[str, tuple[CameraCounts, dict[str, None]]] = {}
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, results: Sequence[CropResult], model: str) -> None:
        """Count the live crops that this model classified."""
        if model != self._model:
            self._count()
            self._model, self._open = model, {}
        self._waiting += results
        if len(self._waiting) >= _WAITING:
            self._count()

    def take(self) -> Counts:
        """What was counted since the last call."""
        self._count()
        taken, self._counts, self._open = self._counts, {}, {}
        if len(self._seen) > MAX_CAMERAS:
            self._seen.clear()
        return taken

    def _count(self) -> None:
        first, edges, live, cameras = FIRST_BIN, EDGES, QueueKind.LIVE, self._open
        for result in self._waiting:
            p_mask = result.p_mask
            if p_mask is None or result.queue is not live:
                continue
            camera_id = result.camera_id or ""
            camera, seen = cameras.get(camera_id) or self._begin(camera_id)
            place = first[result.outcome]
            camera.bins[place + bisect_right(edges, p_mask)] += 1
            camera.p_sums[place] += p_mask
            if result.track_id not in seen:
                _visit(camera, seen, result)
        self._waiting.clear()

    def _begin(self, camera_id: str) -> tuple[CameraCounts, dict[str, None]]:
        camera, seen = CameraCounts(), self._seen.setdefault(camera_id, {})
        if len(self._counts) < MAX_CAMERAS:
            self._counts[camera_id, self._model] = camera
            self._open[camera_id] = camera, seen
        return camera, seen


def _visit(camera: CameraCounts, seen: dict[str, None], result: CropResult) -> None:
    track_id = result.track_id
    if track_id is None or track_id == result.crop_id or len(camera.tracks) == TRACKS_KEPT:
        camera.untracked += 1
        return
    camera.tracks.append(track_id)
    seen[track_id] = None
    if len(seen) > TRACKS_KEPT:
        del seen[next(iter(seen))]
