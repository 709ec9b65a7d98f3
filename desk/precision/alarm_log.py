"""Alarms of shifted scores for the log, once when they begin and once when they end; metrics."""

import threading

import structlog
from prometheus_client import CollectorRegistry, Gauge

from desk.precision.expected import Estimates, ReadEstimates
from maskgate.protocol.errors import StoreError

_EVERY_S = 300.0
#: The model that classified most crops.
_BUSIEST = ""

log = structlog.get_logger()


class AlarmLog:
    """Compares the alarms of each look with those before."""

    def __init__(self, estimates: ReadEstimates, registry: CollectorRegistry) -> None:
        self._estimates = estimates
        self._told: set[str] = set()
        self._shifted = Gauge(
            "maskgate_scores_shifted",
            "1 while the scores of a camera have shifted towards doubt",
            ["camera"],
            registry=registry,
        )
        self._expected = Gauge(
            "maskgate_expected_share",
            "Measures that are expected without labels, over 24 hours and all cameras",
            ["measure"],
            registry=registry,
        )

    def look(self) -> None:
        """Read the alarms; what can't be read now is read the next time."""
        try:
            found = self._estimates(_BUSIEST)
        except StoreError:
            return  # the doors' reader logs it
        alarms = found.alarms
        for camera in sorted(alarms.keys() - self._told):
            log.warning("scores.shifted", camera=camera, alarm=alarms[camera])
        for camera in sorted(self._told - alarms.keys()):
            log.info("scores.back", camera=camera)
        self._told = set(alarms)
        self._export(found)

    def _export(self, found: Estimates) -> None:
        for gauge in (self._shifted, self._expected):
            gauge.clear()  # a camera that is gone is not shifted
        for camera in found.cameras:
            self._shifted.labels(camera).set(camera in found.alarms)
        measures = found.all_cameras.by_name() if found.all_cameras else {}
        for name, measure in measures.items():
            if measure.value is not None:
                self._expected.labels(name).set(measure.value)

    def run(self, stop: threading.Event, every_s: float = _EVERY_S) -> None:
        """Look now and then until told to stop."""
        self.look()
        while not stop.wait(every_s):
            self.look()
