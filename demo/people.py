"""People in front of a camera: a video, or drawn ones, from the first frame to the decision."""

import threading
import time
from pathlib import Path

import cv2
from rich.console import Console

from demo import page
from demo.broker import InProcessPublisher
from demo.display import show_totals
from demo.installation import CAMERA, Installation, installed
from demo.visits import VisitLog, show_visits
from maskgate.inference.model import Model
from maskgate.protocol.queue import QueueKind
from maskgate.runtime.clock import now_ms
from maskgate.runtime.stop import Stop
from producer.camera import to_sample
from producer.images import Image, drawn_images
from producer.scenes.everyday import Everyday
from producer.scenes.source import FilmSource
from producer.video import detection, source_address
from producer.video.best_shots import BestShots
from producer.video.camera import Camera
from producer.video.camera_config import CROPS_PER_S, MIN_FACE_PX
from producer.video.errors import VideoError
from producer.video.film import film
from producer.video.frame import FaceDetector, FrameSource
from producer.video.live_source import LiveSource
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions
from producer.video.watcher import PictureWatcher

FPS = 10.0
_SEED = 1
_SAMPLES, _SAMPLES_PER_S = 256, 20


def run(video: Path | None, model: Model, console: Console, *, seconds: float) -> bool:
    """Play a video to its end, or drawn people for some seconds; whether the totals add up.

    Raises:
        ConfigurationError, ModelError: the detector's file is missing, or is another one.
    """
    cv2.setNumThreads(1)
    detector = detection.load()
    samples = [] if video else drawn_images(_SEED + 1, _SAMPLES, model.card.input)
    console.print(
        f"model {model.card.name}, two workers, camera {CAMERA!r}: "
        + (f"{video}" if video else f"drawn people for {seconds:g} s")
    )
    with installed(model) as installation, page.served(installation.url, CAMERA) as address:
        console.print(f"page      {address}", highlight=False)
        publisher, auditor = (InProcessPublisher(installation.broker) for _ in range(2))
        begun_s, stop = time.monotonic(), Stop()
        source = _source(video)
        camera = threading.Thread(
            target=_film, args=(source, detector, publisher, installation, stop)
        )
        audit = threading.Thread(target=_send, args=(samples, auditor, stop))
        for thread in (camera, audit):
            thread.start()
        visits = VisitLog()
        until_s = begun_s + seconds if video is None else float("inf")
        show_visits(installation.url, CAMERA, visits, console, camera.is_alive, until_s=until_s)
        stop.request()
        for thread in (camera, audit):
            thread.join()
        if source.ended and source.trouble:
            msg = f"{video}: {source.trouble}"
            raise VideoError(msg)
        installation.drain(publisher.live.accepted)
        console.print(f"visits    {visits.count}", highlight=False)
        console.print(visits.table(), highlight=False)
        adds_up = show_totals(
            console,
            publisher.live,
            auditor.audit,
            ledger=installation.ledger,
            audit=installation.audit(),
            seconds=time.monotonic() - begun_s,
        )
    return adds_up and (video is not None or visits.count > 0)


def _source(video: Path | None) -> FrameSource:
    if video is None:
        return FilmSource(Everyday(_SEED), FPS)
    return LiveSource(source_address.parse(str(video), setting="--video"), CAMERA, max_fps=FPS)


def _film(
    source: FrameSource,
    detector: FaceDetector,
    publisher: InProcessPublisher,
    installation: Installation,
    stop: Stop,
) -> None:
    shots = BestShots(CROPS_PER_S, MIN_FACE_PX)
    shape = installation.model.card.input
    camera = Camera(CAMERA, detector, shots, shape, publisher.publish)
    watcher = PictureWatcher(CAMERA, Regions(), PictureHealth())
    try:
        film(source, camera, publisher, watcher, stop=stop)
    finally:
        source.close()


def _send(samples: list[Image], publisher: InProcessPublisher, stop: Stop) -> None:
    """Each sample once: the intervals hold for samples that are independent."""
    for sample in samples:
        if stop.requested:
            return
        publisher.publish(to_sample(sample, CAMERA, now_ms()), QueueKind.AUDIT)
        stop.sleep(1 / _SAMPLES_PER_S)
