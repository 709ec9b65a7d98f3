"""Cameras at work: a thread for each, with its own source, detector and connection."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from maskgate.inference.card import InputShape
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.queue import CropPublisher
from maskgate.runtime.backoff import Backoff
from maskgate.runtime.stop import Stop
from producer.traces import CropTraces
from producer.video import source_address
from producer.video.best_shots import BestShots
from producer.video.camera import Camera
from producer.video.camera_config import CameraConfig
from producer.video.conditions import CameraCondition
from producer.video.film import film
from producer.video.frame import FaceDetector
from producer.video.live_source import LiveSource
from producer.video.metrics import CameraFigures
from producer.video.opening import StreamOptions
from producer.video.picture_health import PictureHealth
from producer.video.regions import Regions
from producer.video.state_report import StateReport
from producer.video.watcher import PictureWatcher

_FLUSH_S = 5.0
_END_S = 10.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Shared:
    """What all cameras of a process have in common."""

    shape: InputShape
    open_detector: Callable[[], FaceDetector]
    #: Called with the camera's id, its configuration and the request to stop it.
    open_publisher: Callable[[str, CameraConfig, Stop], CropPublisher]
    traces: CropTraces = field(default_factory=CropTraces)


class RunningCamera:
    """One camera; works from ``start`` until ``stop``, or until its file has ended.

    Raises:
        ConfigurationError: the source, a polygon or a password can't be used.
    """

    def __init__(
        self,
        camera_id: str,
        config: CameraConfig,
        shared: Shared,
        login: tuple[str, str] | None = None,
    ) -> None:
        user, password = login or config.login() or ("", "")
        address = source_address.parse(
            config.source, user=user, password=password, transport=config.transport
        )
        options = StreamOptions(hwaccel=config.hwaccel)
        #: Why it ended, if not as it should; refused by the broker, or without a source.
        self.error = ""
        self.is_refused = False
        self._id = camera_id
        self._stop = Stop()
        detector = shared.open_detector()  # before the connection: it may be refused
        self._publisher = shared.open_publisher(camera_id, config, self._stop)
        report = StateReport(camera_id, self.figures, self._publisher.publish)
        self._watcher = PictureWatcher(
            camera_id, Regions(config.region, config.privacy), PictureHealth(), report.tick
        )
        self._camera = Camera(
            camera_id,
            detector,
            BestShots(config.crops_per_s, config.min_face_px),
            shared.shape,
            self._publisher.publish,
            traces=shared.traces,
        )
        self._source = LiveSource(
            address, camera_id, options=options, loop=config.loop, max_fps=config.fps
        )
        self._thread = threading.Thread(target=self._run, name=f"film-{camera_id}", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it works; not after the end of its file, nor if the broker refuses the camera."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End it; returns within seconds."""
        self._stop.request()
        self._thread.join(_END_S)

    def figures(self) -> CameraFigures:
        """What it did until now."""
        counts, watcher, tally = self._camera.counts, self._watcher, self._publisher.live
        return CameraFigures(
            up=self.is_running and watcher.state.condition is CameraCondition.UP,
            state=watcher.state.condition.value,
            fps=watcher.fps,
            detection_ms=counts.detection_ms,
            clock_difference_ms=self._source.capture.difference_ms,
            frames=counts.frames,
            faces=counts.faces,
            crops=counts.crops,
            reconnects=self._source.counts.reconnects,
            held_back={r.value: n for r, n in list(self._camera.shots.held_back.items())},
            refused={r.value: n for r, n in list(tally.refusals.items())},
        )

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._stop.requested and not self._film():
                self._stop.sleep(backoff.next_s())
        finally:
            self._source.close()
            self._stop.request()  # the publisher connects to no broker any more
            self._publisher.flush(_FLUSH_S)
            self._publisher.close()

    def _film(self) -> bool:
        """Film until the end; False after an error that another attempt may not have."""
        try:
            film(self._source, self._camera, self._publisher, self._watcher, stop=self._stop)
        except ConfigurationError as error:
            self.error, self.is_refused = str(error), True
            log.error("camera.refused", camera=self._id, error=self.error)
        except Exception:  # noqa: BLE001  (one camera must not take the others with it)
            log.error("camera.failed", camera=self._id, error=traceback.format_exc())
            return False
        else:
            self.error = self._source.trouble if self._source.ended else ""
        return True
