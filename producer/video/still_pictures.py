"""Tells pictures of faces on a wall from people: a face that lives does not keep still."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from producer.video.frame import Face
from producer.video.tracking import Track

#: A face that did not change for so long is a picture.
STILL_AFTER_MS = 2000
#: Mean difference of grey levels, 0 to 255, below which a face did not change. Measured over 2 s on
#: a clip with four people and a painting: 1.3 to 3.6 for the painting, 6.5 and more for the people.
_UNCHANGED = 4.0
#: A picture whose box moves by so many of its widths is a person who stood still.
_MOVED = 0.25
_SIZE = (16, 20)
#: The whole frame is remembered at this width, so often.
_PAST_WIDTH, _PAST_MS = 320, 500

Grey = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Look:
    """How a place of the frame looked when a track was there."""

    box: Face
    grey: Grey
    at_ms: int
    still: bool = False


class StillPictures:
    """Which tracks of a camera are pictures on a wall."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}
        self._past: deque[tuple[int, Pixels]] = deque(maxlen=STILL_AFTER_MS // _PAST_MS + 1)

    def remember(self, pixels: Pixels, at_ms: int) -> None:
        """Call it for each frame: where a face begins, the past says whether somebody came."""
        if not self._past or at_ms - self._past[-1][0] >= _PAST_MS:
            height = max(1, round(pixels.shape[0] * _PAST_WIDTH / pixels.shape[1]))
            small = cv2.resize(pixels, (_PAST_WIDTH, height), interpolation=cv2.INTER_AREA)
            self._past.append((at_ms, np.asarray(small, np.uint8)))

    def cut(self) -> None:
        """The picture is another one: nothing is known about it."""
        self._looks.clear()
        self._past.clear()

    def is_still(self, pixels: Pixels, track: Track) -> bool:
        """Whether the face of a track is a picture; call it for every frame of the track.

        A new track at the place of a known picture is that picture, and so is one at a place that
        looked the same before its face was found.
        """
        look = self._looks.get(track.track_id)
        if look is None or _moved(look.box, track.face):
            look = self._known(pixels, track) or self._begun(pixels, track)
            self._looks[track.track_id] = look
        elif not look.still and track.seen_ms - look.at_ms >= STILL_AFTER_MS:
            grey = _grey(pixels, look.box)
            look.still = _difference(grey, look.grey) < _UNCHANGED
            look.grey, look.at_ms = grey, track.seen_ms
        return look.still

    def forget(self, alive: set[str]) -> None:
        """Forget the tracks that have ended, but not the pictures."""
        self._looks = {
            name: look for name, look in self._looks.items() if name in alive or look.still
        }

    def _begun(self, pixels: Pixels, track: Track) -> _Look:
        """A place that is looked at for the first time."""
        grey = _grey(pixels, track.face)
        look = _Look(track.face, grey, track.seen_ms)
        for at_ms, small in self._past:
            if at_ms <= track.seen_ms - STILL_AFTER_MS:
                before = _grey(small, _scaled(track.face, _PAST_WIDTH / pixels.shape[1]))
                look.still = _difference(grey, before) < _UNCHANGED
        return look

    def _known(self, pixels: Pixels, track: Track) -> _Look | None:
        """The picture that hangs where a track begins, if it is still there."""
        for name, look in list(self._looks.items()):
            if look.still and not _moved(look.box, track.face):
                if _difference(_grey(pixels, look.box), look.grey) < _UNCHANGED:
                    return look
                del self._looks[name]
        return None


def _moved(box: Face, face: Face) -> bool:
    (x0, y0), (x1, y1) = box.centre, face.centre
    return max(abs(x1 - x0), abs(y1 - y0), abs(face.width - box.width)) > _MOVED * box.width


def _scaled(box: Face, scale: float) -> Face:
    return Face(
        box.x * scale, box.y * scale, box.width * scale, box.height * scale, score=box.score
    )


def _grey(pixels: Pixels, box: Face) -> Grey:
    """The box, reduced to a few grey cells; without the part that is outside the frame."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right, bottom = round(box.x + box.width), round(box.y + box.height)
    part = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    if not part.size:
        return np.zeros(_SIZE[::-1], np.float32)
    small = cv2.resize(part, _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


def _difference(one: Grey, other: Grey) -> float:
    """Without the difference of brightness: lamps flicker, and cameras adapt."""
    return float(np.abs((one - one.mean()) - (other - other.mean())).mean())
