"""``python -m producer video``: the composition root of a camera process."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from urllib.parse import quote, urlsplit, urlunsplit

import cv2
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import ValidationError

from maskgate.inference import card
from maskgate.operations.cameras import user_of
from maskgate.protocol.errors import ConfigurationError
from maskgate.protocol.queue import CropPublisher
from maskgate.runtime import broker, tracing
from maskgate.runtime.exit_codes import ExitCode
from maskgate.runtime.http_server import Answer, listening
from maskgate.runtime.stop import Stop
from producer.rabbit import RabbitPublisher
from producer.traces import CropTraces
from producer.video import detection, source_address
from producer.video.camera_config import CameraConfig
from producer.video.cameras_file import read
from producer.video.frame import FaceDetector
from producer.video.metrics import CameraCollector, CameraFigures
from producer.video.regions import Regions
from producer.video.reload import Reload, RunningCameras
from producer.video.running import RunningCamera, Shared
from producer.video.settings import DetectorSettings, VideoSettings

_LOOK_S = 0.2
_REPORT_S = 60.0
_CONNECT_TIMEOUT_S = 5.0
_TEXT = "text/plain; charset=utf-8"

log = structlog.get_logger()


def check(settings: VideoSettings) -> list[str]:
    """Validate the settings without connecting; returns lines for ``--check``.

    Raises:
        ConfigurationError: names the setting, or file, line and key.
        ModelError: the model card or the detector can't be used.
    """
    shape = card.read(settings.model_card).input
    open_detector(settings)
    lines = [*broker.check(settings), *tracing.check(settings)]
    lines.append(f"detector: {settings.detector}")
    lines.append(f"model card: {settings.model_card}, input {shape.width}x{shape.height} px")
    for camera_id, config in configs(settings).items():
        Regions(config.region, config.privacy)
        address = source_address.parse(config.source, transport=config.transport)
        lines.append(f"camera {camera_id}: {address.shown}, {config.fps:g} frames/s")
    return lines


def run(settings: VideoSettings) -> int:
    """Work until a stop is requested or every file has ended; returns an exit code."""
    cv2.setNumThreads(1)
    name = f"camera-{socket.gethostname()}-{os.getpid()}"
    with tracing.spans_of(settings, "maskgate-camera", name) as spans:
        return _run(settings, CropTraces(spans))


def _run(settings: VideoSettings, traces: CropTraces) -> int:
    stop = Stop.on_signals()

    def publisher(camera_id: str, config: CameraConfig, stop: Stop) -> CropPublisher:
        return _publisher(settings, camera_id, config, stop, traces)

    shape = card.read(settings.model_card).input
    shared = Shared(shape, lambda: open_detector(settings), publisher, traces)
    cameras: dict[str, RunningCamera] = {}
    begun_s = time.monotonic()
    with _metrics(settings, lambda: {name: each.figures() for name, each in cameras.items()}):
        try:
            if settings.cameras_file is None:
                cameras[settings.camera] = _single(settings, shared)
                _work(cameras, stop, lambda: None)
            else:
                _work_by_file(settings, shared, cameras, stop)
        finally:
            for camera in cameras.values():
                camera.stop()
            _print_summary(cameras, time.monotonic() - begun_s)
    return _exit_code(cameras, stop)


def configs(settings: VideoSettings) -> dict[str, CameraConfig]:
    """The cameras, by their id.

    Raises:
        ConfigurationError: names file, line and key.
    """
    if settings.cameras_file is not None:
        return read(settings.cameras_file)
    given = {
        "source": settings.source,
        "fps": settings.fps,
        "crops_per_s": settings.crop_rate,
        "min_face_px": settings.min_face_px,
        "transport": settings.transport,
        "hwaccel": settings.hwaccel or "",
        "loop": settings.loop,
    }
    try:
        config = CameraConfig.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(wrong) from None
    return {settings.camera: config}


def open_detector(settings: DetectorSettings) -> FaceDetector:
    """The detector that the settings name.

    Raises:
        ConfigurationError, ModelError: its file is missing, or another one.
    """
    return detection.load(
        settings.detector, settings.detector_model, sha256=settings.detector_sha256
    )


def _single(settings: VideoSettings, shared: Shared) -> RunningCamera:
    login = None
    if settings.source_user:
        password = settings.source_password
        login = settings.source_user, password.get_secret_value() if password else ""
    return RunningCamera(settings.camera, configs(settings)[settings.camera], shared, login)


def _work_by_file(
    settings: VideoSettings, shared: Shared, cameras: dict[str, RunningCamera], stop: Stop
) -> None:
    def start(camera_id: str, config: CameraConfig) -> None:
        cameras[camera_id] = RunningCamera(camera_id, config, shared)

    def end(camera_id: str) -> None:
        cameras.pop(camera_id).stop()

    assert settings.cameras_file is not None  # noqa: S101  (for mypy: run() asked)
    read(settings.cameras_file)  # at the start, an error ends the process
    reload = Reload.on_signal()
    running = RunningCameras(settings.cameras_file, start, end)
    running.reload()
    _work(cameras, stop, lambda: running.reload() if reload.taken() else None)


def _work(cameras: Mapping[str, RunningCamera], stop: Stop, look: Callable[[], object]) -> None:
    """Until a stop is requested or no camera is left; logs each camera's figures once a minute."""
    due_s = time.monotonic() + _REPORT_S
    while not stop.requested:
        if cameras and not any(camera.is_running for camera in list(cameras.values())):
            return
        look()
        stop.sleep(_LOOK_S)
        if time.monotonic() >= due_s:
            due_s += _REPORT_S
            for camera_id, camera in cameras.items():
                log.info("camera.report", camera=camera_id, **asdict(camera.figures()))


def _publisher(
    settings: VideoSettings, camera_id: str, config: CameraConfig, stop: Stop, traces: CropTraces
) -> CropPublisher:
    url, password = settings.broker_login()
    if (own := config.broker_password()) is not None:
        url, password = _as_user(url, user_of(camera_id)), own
    name = f"camera-{camera_id}-{socket.gethostname()}-{os.getpid()}"
    login = broker.parameters(url, password, name=name, tls=settings.broker_tls())
    publisher = RabbitPublisher(login, stop=stop, settled=traces.settled)
    publisher.wait_for_broker(_CONNECT_TIMEOUT_S)
    return publisher


def _as_user(url: str, user: str) -> str:
    """A broker's URL with another user, and without a password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}@{host}"))


@contextmanager
def _metrics(
    settings: VideoSettings, figures: Callable[[], Mapping[str, CameraFigures]]
) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    registry = CollectorRegistry()
    registry.register(CameraCollector(figures))

    def answer(path: str) -> Answer:
        if path == "/metrics":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
        if path == "/healthz":
            down = [f"{name} is {each.state}" for name, each in figures().items() if not each.up]
            text = "\n".join(down) or "ok"
            return Answer(200, _TEXT, f"{text}\n".encode())
        return Answer(404, _TEXT, b"/metrics /healthz\n")

    with listening(settings.metrics_host, settings.metrics_port, answer) as port:
        log.info("metrics.listening", port=port)
        yield


def _print_summary(cameras: Mapping[str, RunningCamera], elapsed_s: float) -> None:
    figures = {name: asdict(camera.figures()) for name, camera in cameras.items()}
    print(json.dumps({"cameras": figures, "elapsed_s": round(elapsed_s, 2)}))


def _exit_code(cameras: Mapping[str, RunningCamera], stop: Stop) -> ExitCode:
    failed = {name: camera for name, camera in cameras.items() if camera.error}
    for name, camera in failed.items():
        log.error("camera.ended", camera=name, error=camera.error)
    if any(camera.is_refused for camera in failed.values()):
        return ExitCode.BAD_CONFIGURATION
    return ExitCode.UNAVAILABLE if failed and not stop.requested else ExitCode.OK
