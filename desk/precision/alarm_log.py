"""Alarms of shifted scores in the log: once when they begin, and once when they end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from desk.background import background
from desk.precision.expected import ReadEstimates
from maskgate.protocol.errors import StoreError

_EVERY_S = 300.0
#: The model that classified most crops.
_BUSIEST = ""

log = structlog.get_logger()


class AlarmLog:
    """Compares the alarms of each look with those before."""

    def __init__(self, estimates: ReadEstimates) -> None:
        self._estimates = estimates
        self._told: set[str] = set()

    def look(self) -> None:
        """Read the alarms; what can't be read now is read the next time."""
        try:
            alarms = self._estimates(_BUSIEST).alarms
        except StoreError:
            return  # the doors' reader logs it
        for camera in sorted(alarms.keys() - self._told):
            log.warning("scores.shifted", camera=camera, alarm=alarms[camera])
        for camera in sorted(self._told - alarms.keys()):
            log.info("scores.back", camera=camera)
        self._told = set(alarms)

    @contextmanager
    def running(self, every_s: float = _EVERY_S) -> Iterator[None]:
        """Look now and then in a thread until the block ends."""
        stop = threading.Event()

        def run() -> None:
            self.look()
            while not stop.wait(every_s):
                self.look()

        thread = background("alarms", run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
