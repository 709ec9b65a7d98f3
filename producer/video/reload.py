"""Cameras are added, changed and removed while the process runs: by its file, on SIGHUP."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from maskgate.protocol.errors import ConfigurationError, MaskgateError
from producer.video.camera_config import CameraConfig
from producer.video.cameras_file import changes, read

log = structlog.get_logger()


class Reload:
    """A request to read the file of cameras again."""

    def __init__(self) -> None:
        self._requested = False

    @classmethod
    def on_signal(cls) -> Self:
        """A request that SIGHUP sets. A plain flag: signal handlers must not lock."""
        reload = cls()
        signal.signal(signal.SIGHUP, lambda *_: reload.request())
        return reload

    def request(self) -> None:
        """Request it."""
        self._requested = True

    def taken(self) -> bool:
        """Whether it was requested since the last call."""
        # Cleared before the file is read: a request that comes meanwhile counts again.
        requested, self._requested = self._requested, False
        return requested


class RunningCameras:
    """The cameras that run, kept in step with the file. Not thread-safe.

    ``start`` and ``stop`` are called with the id of a camera. If ``start`` raises a
    ``MaskgateError``, the camera does not run, and the next reload tries again.
    """

    def __init__(
        self,
        path: Path,
        start: Callable[[str, CameraConfig], None],
        stop: Callable[[str], None],
    ) -> None:
        self._path, self._start, self._stop = path, start, stop
        self._running: dict[str, CameraConfig] = {}

    @property
    def ids(self) -> list[str]:
        """The ids of the cameras that run."""
        return list(self._running)

    def reload(self) -> bool:
        """Read the file and apply what differs; False, and nothing changes, if it is invalid."""
        try:
            wanted = read(self._path)
        except ConfigurationError as error:
            log.error("cameras.invalid", error=str(error), running=len(self._running))
            return False
        found = changes(self._running, wanted)
        for camera in [*found.removed, *found.changed]:
            self._end(camera)
        for camera in [*found.changed, *found.added]:
            self._begin(camera, wanted[camera])
        log.info(
            "cameras.applied",
            added=found.added,
            changed=found.changed,
            removed=found.removed,
            running=len(self._running),
        )
        return True

    def stop(self) -> None:
        """Stop all cameras."""
        for camera in self.ids:
            self._end(camera)

    def _begin(self, camera: str, config: CameraConfig) -> None:
        try:
            self._start(camera, config)
        except MaskgateError as error:
            log.error("camera.not_started", camera_id=camera, error=str(error))
        else:
            self._running[camera] = config

    def _end(self, camera: str) -> None:
        del self._running[camera]
        self._stop(camera)
