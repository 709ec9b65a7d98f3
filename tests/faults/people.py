"""Who stood in front of a camera, and whether its door may have opened.

A camera's door must not open while anybody in front of it wears a mask, as far as Redis knew when
the verdict was written: a masked person is known from the first crop that was written until the
last one's time is over. All times but that of a crop's capture are Redis's own, in milliseconds:
workers decide before they write, and during an outage long before.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from maskgate.protocol.verdict import Verdict


@dataclass(slots=True)
class People:
    """The written crops of masked people, and the openings of doors."""

    _masked: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _written: dict[tuple[str, int], int] = field(default_factory=dict)
    _opened: dict[tuple[str, str, int], Verdict] = field(default_factory=dict)
    _forgotten: list[tuple[int, int]] = field(default_factory=list)

    def masked(self, camera: str, written_at_ms: int, captured_at_ms: int) -> None:
        """Record that a crop of a masked person was written."""
        self._masked[camera].append((written_at_ms, captured_at_ms))

    def written(self, crop_id: str, decided_at_ms: int, written_at_ms: int) -> None:
        """Record when a worker's decision about a crop was written."""
        self._written.setdefault((crop_id, decided_at_ms), written_at_ms)

    def opened(self, camera: str, verdict: Verdict) -> None:
        """Record that a camera's door opened because of a verdict."""
        self._opened[camera, verdict.crop_id, verdict.decided_at_ms] = verdict

    def forget(self, began_ms: int, ended_ms: int) -> None:
        """Redis lost what it knew, at some moment of these."""
        self._forgotten.append((began_ms, ended_ms))

    def wrong_opens(self) -> list[str]:
        """Each opening while somebody was known to wear a mask."""
        known = {camera: sorted(crops) for camera, crops in self._masked.items()}
        return [
            f"{camera} opened by {verdict}, masked since {masked}"
            for (camera, _, _), verdict in self._opened.items()
            if (masked := self._masked_at(known.get(camera, []), verdict))
        ]

    def _masked_at(self, crops: list[tuple[int, int]], verdict: Verdict) -> list[tuple[int, int]]:
        """The last crop of somebody who was known to wear a mask when this was written."""
        at_ms = self._written.get((verdict.crop_id, verdict.decided_at_ms), verdict.decided_at_ms)
        lost_ms = max((ended for began, ended in self._forgotten if began <= at_ms), default=0)
        since_ms = max(lost_ms + 1, at_ms - verdict.ttl_ms)
        candidates = crops[bisect_left(crops, (since_ms, 0)) : bisect_left(crops, (at_ms, 0))]
        return [crop for crop in candidates if crop[1] > at_ms - verdict.ttl_ms][-1:]
