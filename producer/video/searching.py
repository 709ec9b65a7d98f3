"""When a whole picture is searched for faces, and when known faces are only followed."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from maskgate.inference.image import Pixels
from producer.video.frame import Face, FaceDetector

#: A face that is far away, and new, is found after this time at the latest while others are
#: followed. A near one is found at once.
SEARCH_MS = 500


@runtime_checkable
class FollowingDetector(FaceDetector, Protocol):
    """A detector that finds faces it knows with less work."""

    def follow(self, pixels: Pixels, known: Sequence[Face]) -> list[Face] | None:
        """The known faces on the next picture, and new ones that are found with no more work.

        None if one of them is not there, or is too small for it: then ``detect`` is needed.
        """


class Search:
    """Finds the faces on each frame of one camera."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._following = detector if isinstance(detector, FollowingDetector) else None
        self._known: list[Face] = []
        self._searched_ms = 0

    def faces(self, pixels: Pixels, at_ms: int) -> list[Face]:
        """All faces on an RGB picture that was taken at ``at_ms``; times must not decrease."""
        self._known = self._found(pixels, at_ms)
        return self._known

    def begin_anew(self) -> None:
        """The next picture is another one: nothing of the last is followed."""
        self._known = []

    def _found(self, pixels: Pixels, at_ms: int) -> list[Face]:
        found = self._followed(pixels, at_ms)
        if found is None:
            found = self._detector.detect(pixels)
            self._searched_ms = at_ms
        return found

    def _followed(self, pixels: Pixels, at_ms: int) -> list[Face] | None:
        if self._following is None or not self._known:
            return None
        if at_ms - self._searched_ms >= SEARCH_MS:
            return None
        return self._following.follow(pixels, self._known)
