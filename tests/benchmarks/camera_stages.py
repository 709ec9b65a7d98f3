"""Where the time of one camera goes: each stage by itself, in this process, on one stream.

A stage is timed by the processor time of its thread, so that other programs on the machine count
little.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import cv2
import numpy as np

from maskgate.inference import card
from maskgate.inference.image import Pixels
from maskgate.protocol.crop import Crop, Message, new_crop_id, to_message
from maskgate.runtime.broker import parameters
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.images import encode
from producer.rabbit import RabbitPublisher
from producer.settings import SHIPPED_CARD
from producer.video import detection, source_address
from producer.video.best_shots import BestShots
from producer.video.motion import Motion
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions
from producer.video.rgb import RgbConverter
from producer.video.searching import FollowingDetector
from producer.video.still_pictures import StillPictures
from producer.video.stream import Picture, VideoStream
from producer.video.tracking import Track, Tracker
from tests.benchmarks.camera_videos import FPS

#: One frame of so many is worked on: 5 a second of 25.
_EVERY = 5
#: A privacy mask in a corner, as cameras have one.
_PRIVACY = (((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2)),)

P = ParamSpec("P")
T = TypeVar("T")


class Stages:
    """The stages of a camera, one after the other; ``us`` has the times of each by its name."""

    def __init__(self, broker_url: str) -> None:
        self.us: dict[str, list[float]] = defaultdict(list)
        self._shape = card.read(SHIPPED_CARD).input
        self._convert = RgbConverter(1920)
        self._regions, self._health = Regions(None, _PRIVACY), PictureHealth()
        self._motion, self._detector, self._tracker = Motion(), detection.load(), Tracker()
        self._pictures, self._shots = StillPictures(), BestShots(5, 40)
        self._outlet = RabbitPublisher(
            parameters(broker_url, None, name="stages"), stop=Stop(), patient=True
        )
        self._outlet.wait_for_broker(10)

    def play(self, path: Path) -> None:
        """Work on one frame of five, as the loop of a camera does."""
        with VideoStream(source_address.parse(str(path))) as stream:
            pictures = stream.pictures()
            number = 0
            while picture := self._timed("decode, each of 25 a second", _next, pictures):
                number += 1
                if number % _EVERY == 0:
                    self._work(picture, number / FPS)

    def close(self) -> None:
        """Wait for the broker's confirmations."""
        self._outlet.flush(10)
        self._outlet.close()

    def _work(self, picture: Picture, at_s: float) -> None:
        pixels = self._timed("convert to RGB", self._convert.pixels, picture.frame)
        pixels = self._timed("privacy mask", self._regions.apply, pixels)
        visible = self._regions.visible(*pixels.shape[:2])
        self._timed("picture check", self._health.frame, pixels, at_s, visible)
        self._timed("motion", self._motion.change, pixels)
        faces = self._timed("search the whole picture", self._detector.detect, pixels)
        if faces and isinstance(self._detector, FollowingDetector):
            self._timed("follow known faces", self._detector.follow, pixels, faces)
        tracks = self._timed("track", self._tracker.update, faces, round(at_s * 1000))
        for track in tracks:
            if message := self._timed("crop and encode", self._crop, pixels, track):
                self._timed("publish", self._outlet.publish, message)
        with self._clock("turn of the broker's connection"):
            self._outlet.rest(0.001)

    def _crop(self, pixels: Pixels, track: Track) -> Message | None:
        self._pictures.is_still(pixels, track)
        crop = self._shots.choose(pixels, track)
        if crop is None:
            return None
        body, content_type = encode(crop, self._shape)
        return to_message(
            Crop(new_crop_id(), "stages", track.track_id, now_ms(), content_type, body)
        )

    def _timed(self, stage: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._clock(stage):
            return work(*args, **kwargs)

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        begun_ns = time.thread_time_ns()
        yield
        self.us[stage].append((time.thread_time_ns() - begun_ns) / 1000)


def _next(pictures: Iterator[Picture]) -> Picture | None:
    return next(pictures, None)


def stages(path: Path, broker_url: str) -> dict[str, float]:
    """Mean processor time in µs of each stage, over one playing of a video."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    work = Stages(broker_url)
    try:
        work.play(path)
    finally:
        work.close()
        cv2.setNumThreads(before)
    return {name: float(np.mean(us)) for name, us in work.us.items()}
