"""Which faces of a track are sent, and how they are cut out.

A face is sent as the model was trained: its box plus a tenth on each side, reduced to the model's
input. So thumbnails leave the camera, and portraits don't.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.video.frame import Face
from producer.video.tracking import Track

#: What is added on each side of a face's box, in its widths and heights.
MARGIN = 0.1
#: How much of a box may be outside the frame.
_MAX_OUTSIDE = 0.15
#: A profile: the nose is so far from the middle of the eyes, in distances between them.
_MAX_TURN = 0.9
#: A face is blurred beside its own track's usual sharpness, and is then held back once.
_BLURRED = 0.4
#: How much a new face counts in the usual sharpness.
_NEWS = 0.2


class HeldBack(StrEnum):
    """Why a face was not sent."""

    SMALL = "small"
    CUT_OFF = "cut_off"
    PROFILE = "profile"
    BLURRED = "blurred"
    RATE = "rate"
    STILL_PICTURE = "still_picture"
    SEEN_ONCE = "seen_once"
    WEAK = "weak"


@dataclass(slots=True)
class _Sent:
    """What was sent of a track."""

    due_ms: int = 0
    sharpness: float = 0.0
    waived: bool = False


@dataclass(slots=True)
class BestShots:
    """Chooses the faces of one camera that are sent.

    Of a track, at most ``crops_per_s`` a second. ``min_face_px`` is the least width of a face in
    pixels. ``held_back`` counts the others.
    """

    crops_per_s: float
    min_face_px: int
    held_back: Counter[HeldBack] = field(default_factory=Counter)
    _tracks: dict[str, _Sent] = field(default_factory=dict)

    def choose(self, pixels: Pixels, track: Track) -> Pixels | None:
        """The crop of a track's face, RGB, or None if this one is not sent."""
        sent = self._tracks.setdefault(track.track_id, _Sent())
        reason = self._unfit(pixels, track, sent)
        crop = framed(pixels, track.face) if reason is None else None
        if crop is not None and self._is_blurred(crop, sent):
            reason = HeldBack.BLURRED
        if reason is not None or crop is None:
            self.held_back[reason or HeldBack.CUT_OFF] += 1
            return None
        sent.due_ms = max(sent.due_ms, track.seen_ms) + round(1000 / self.crops_per_s)
        return crop

    def forget(self, alive: set[str]) -> None:
        """Forget the tracks that have ended."""
        self._tracks = {name: sent for name, sent in self._tracks.items() if name in alive}

    def _unfit(self, pixels: Pixels, track: Track, sent: _Sent) -> HeldBack | None:
        face = track.face
        # Frames do not come at exact times: half a frame early is in time.
        if track.seen_ms < sent.due_ms - 500 / self.crops_per_s:
            return HeldBack.RATE
        if face.width < self.min_face_px:
            return HeldBack.SMALL
        if _outside(pixels, face) > _MAX_OUTSIDE:
            return HeldBack.CUT_OFF
        if turn(face) > _MAX_TURN:
            return HeldBack.PROFILE
        return None

    def _is_blurred(self, crop: Pixels, sent: _Sent) -> bool:
        """Whether a better picture is likely to follow; asked twice in a row, it is not."""
        now = sharpness(crop)
        usual = sent.sharpness or now
        sent.sharpness = usual + _NEWS * (now - usual)
        sent.waived = now < _BLURRED * usual and not sent.waived
        return sent.waived


def framed(pixels: Pixels, face: Face) -> Pixels | None:
    """A face's box with its margin, within the frame; None if nothing of it is there."""
    height, width = pixels.shape[:2]
    left = max(0, round(face.x - MARGIN * face.width))
    top = max(0, round(face.y - MARGIN * face.height))
    right = min(width, round(face.x + (1 + MARGIN) * face.width))
    bottom = min(height, round(face.y + (1 + MARGIN) * face.height))
    return pixels[top:bottom, left:right] if right > left and bottom > top else None


def turn(face: Face) -> float:
    """How far a head is turned: 0 from the front, about 1 in profile; 0 if it is not known."""
    if face.right_eye is None or face.left_eye is None or face.nose is None:
        return 0.0
    between = np.subtract(face.left_eye, face.right_eye)
    distance = float(np.hypot(*between))
    if distance < 0.1 * face.width:
        return 1.0  # the eyes are one behind the other
    middle = np.add(face.left_eye, face.right_eye) / 2
    along = float(np.dot(np.subtract(face.nose, middle), between)) / distance
    return abs(along) / distance


def sharpness(crop: Pixels) -> float:
    """Variance of the Laplacian of a crop at 64 px (Pech-Pacheco et al., ICPR 2000)."""
    grey = cv2.cvtColor(
        cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    return float(np.var(np.asarray(cv2.Laplacian(grey, cv2.CV_32F), np.float32)))


def _outside(pixels: Pixels, face: Face) -> float:
    """The share of a box that is outside the frame."""
    height, width = pixels.shape[:2]
    inside_x = max(0.0, min(width, face.x + face.width) - max(0.0, face.x))
    inside_y = max(0.0, min(height, face.y + face.height) - max(0.0, face.y))
    return float(1 - inside_x * inside_y / (face.width * face.height))
