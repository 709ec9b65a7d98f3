"""Who stood in front of a camera, and whether its door may have opened.

A camera's door must not open while anybody in front of it wears a mask, as far as workers knew when
they wrote the verdict: a masked person is known from the decision about the first crop until the
last one's time is over.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from maskgate.protocol.verdict import Verdict


@dataclass(slots=True)
class People:
    """The decided crops of masked people, and the openings of doors. Times are in milliseconds."""

    _masked: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _opened: dict[tuple[str, str, int], Verdict] = field(default_factory=dict)
    _forgotten: list[int] = field(default_factory=lambda: [0])

    def decided(self, camera: str, decided_at_ms: int, captured_at_ms: int) -> None:
        """Record that a worker decided about a crop of a masked person."""
        self._masked[camera].append((decided_at_ms, captured_at_ms))

    def opened(self, camera: str, verdict: Verdict) -> None:
        """Record that a camera's door opened because of a verdict."""
        self._opened[camera, verdict.crop_id, verdict.decided_at_ms] = verdict

    def forget(self, now_ms: int) -> None:
        """Redis lost what it knew until now."""
        self._forgotten.append(now_ms)

    def wrong_opens(self) -> list[str]:
        """Each opening while somebody was known to wear a mask."""
        known = {camera: sorted(crops) for camera, crops in self._masked.items()}
        return [
            f"{camera} opened by {verdict}, masked since {masked}"
            for (camera, _, _), verdict in self._opened.items()
            if (masked := self._masked_at(known.get(camera, []), verdict))
        ]

    def _masked_at(self, crops: list[tuple[int, int]], verdict: Verdict) -> list[tuple[int, int]]:
        at_ms = verdict.decided_at_ms
        forgotten_ms = self._forgotten[bisect_right(self._forgotten, at_ms) - 1]
        since_ms = max(forgotten_ms + 1, at_ms - verdict.ttl_ms)
        candidates = crops[bisect_left(crops, (since_ms, 0)) : bisect_left(crops, (at_ms, 0))]
        return [crop for crop in candidates if crop[1] > at_ms - verdict.ttl_ms][-1:]
