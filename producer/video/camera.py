"""One camera: from its frames to the crops of the people in front of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maskgate.inference.card import InputShape
from maskgate.inference.image import Pixels
from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from producer.images import encode
from producer.traces import CropTraces
from producer.video.best_shots import BestShots, HeldBack
from producer.video.frame import FaceDetector, Frame
from producer.video.motion import Change, Motion
from producer.video.searching import Search
from producer.video.still_pictures import StillPictures
from producer.video.tracking import Track, Tracker

#: Where nothing moves and nobody is, faces are looked for so often nevertheless.
IDLE_MS = 1000
_SMOOTHING = 0.1


@dataclass(slots=True)
class Counts:
    """What became of a camera's frames and faces; ``detection_ms`` is a moving average."""

    frames: int = 0
    detections: int = 0
    faces: int = 0
    crops: int = 0
    detection_ms: float = 0.0

    def add_detection(self, faces: int, took_ms: float) -> None:
        """Count one run of the detector."""
        usual_ms = self.detection_ms or took_ms
        self.detection_ms = usual_ms + _SMOOTHING * (took_ms - usual_ms)
        self.detections += 1
        self.faces += faces


class Camera:
    """Finds, follows and cuts out faces; ``send`` is called with the message of each crop."""

    def __init__(
        self,
        camera_id: str,
        detector: FaceDetector,
        shots: BestShots,
        shape: InputShape,
        send: Callable[[Message], None],
        *,
        traces: CropTraces | None = None,
    ) -> None:
        self.counts = Counts()
        self.shots = shots
        self._camera_id = camera_id
        self._search = Search(detector)
        self._shape = shape
        self._send = send
        self._traces = traces or CropTraces()
        self._motion = Motion()
        self._tracker = Tracker()
        self._pictures = StillPictures()
        self._unsent: dict[str, list[Message]] = {}
        self._detected_ms = 0
        self._searched_ns = 0, 0
        self._now_ms = 0

    def process(self, frame: Frame) -> None:
        """Send the best faces of a frame."""
        self.send_best(frame, self.find(frame))

    def find(self, frame: Frame) -> list[Track]:
        """The people on a frame. Call ``send_best`` with them before the next frame."""
        self._now_ms = max(frame.captured_at_ms, self._now_ms)  # a camera's clock may jump back
        self.counts.frames += 1
        change = self._motion.change(frame.pixels)
        if change is Change.CUT:
            self._tracker.end_all()
            self._pictures.cut()
            self._search.begin_anew()
        self._pictures.remember(frame.pixels, self._now_ms)
        if change is Change.NONE and not self._is_due():
            return []
        return self._tracks(frame.pixels)

    def send_best(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Send the best faces of a frame, and what waited until its face was confirmed."""
        for track in tracks:
            if crop := self._crop(frame.pixels, track):
                self._unsent.setdefault(track.track_id, []).append(crop)
            if track.confirmed:
                for waiting in self._unsent.pop(track.track_id, ()):
                    self.counts.crops += 1
                    self._send(waiting)
        self._forget()

    def end(self) -> None:
        """End the tracks: no frame follows. What was not sent yet never is."""
        self._tracker.end_all()
        self._forget()

    def _is_due(self) -> bool:
        return bool(self._tracker.tracks) or self._now_ms - self._detected_ms >= IDLE_MS

    def _tracks(self, pixels: Pixels) -> list[Track]:
        begun_s, begun_ns = time.perf_counter(), time.time_ns()
        faces = self._search.faces(pixels, self._now_ms)
        took_s = time.perf_counter() - begun_s
        self._searched_ns = begun_ns, begun_ns + round(took_s * 1e9)
        self.counts.add_detection(len(faces), took_s * 1000)
        self._detected_ms = self._now_ms
        tracks = self._tracker.update(faces, self._now_ms)
        self.shots.held_back[HeldBack.WEAK] += len(faces) - len(tracks)
        return tracks

    def _crop(self, pixels: Pixels, track: Track) -> Message | None:
        if self._pictures.is_still(pixels, track):
            self.shots.held_back[HeldBack.STILL_PICTURE] += 1
            return None
        crop = self.shots.choose(pixels, track)
        if crop is None:
            return None
        body, content_type = encode(crop, self._shape)
        message = Crop(
            new_crop_id(), self._camera_id, track.track_id, self._now_ms, content_type, body
        )
        return to_message(self._traces.begin(message, self._searched_ns))

    def _forget(self) -> None:
        alive = {track.track_id for track in self._tracker.tracks}
        self.shots.forget(alive)
        self._pictures.forget(alive)
        for ended in self._unsent.keys() - alive:
            self.shots.held_back[HeldBack.SEEN_ONCE] += len(self._unsent.pop(ended))
