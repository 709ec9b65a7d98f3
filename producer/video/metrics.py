"""What a camera process exports to Prometheus, read from the running cameras at each scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """What one camera did since its start; ``up`` is whether people can be seen on it."""

    up: bool
    state: str
    fps: float = 0.0
    detection_ms: float = 0.0
    clock_difference_ms: int | None = None
    frames: int = 0
    faces: int = 0
    crops: int = 0
    reconnects: int = 0
    held_back: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)


class CameraCollector(Collector):
    """Metrics of all cameras; ``read`` gives their figures by camera id."""

    def __init__(self, read: Callable[[], Mapping[str, CameraFigures]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        figures = self._read()
        yield _gauge("up", "Whether people can be seen", ((c, f.up) for c, f in figures.items()))
        yield _gauge("fps", "Frames worked on a second", ((c, f.fps) for c, f in figures.items()))
        yield _gauge(
            "detection_seconds",
            "Usual time of one face detection",
            ((c, f.detection_ms / 1000) for c, f in figures.items()),
        )
        yield _gauge(
            "clock_difference_seconds",
            "How far the camera's clock is behind this machine's",
            (
                (c, f.clock_difference_ms / 1000)
                for c, f in figures.items()
                if f.clock_difference_ms is not None
            ),
        )
        for name in ("frames", "faces", "crops", "reconnects"):
            yield _counter(name, ((c, getattr(f, name)) for c, f in figures.items()))
        yield _by_reason("held_back", "Faces that were not sent", figures, "held_back")
        yield _by_reason("refused", "Crops that the queue did not take", figures, "refused")


def _gauge(name: str, text: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"maskgate_camera_{name}", text, labels=["camera"])
    for camera, value in values:
        family.add_metric([camera], value)
    return family


def _counter(name: str, values: Iterable[tuple[str, int]]) -> Metric:
    texts = {
        "frames": "Frames worked on",
        "faces": "Faces found",
        "crops": "Crops sent",
        "reconnects": "How often the camera came back",
    }
    family = CounterMetricFamily(f"maskgate_camera_{name}", texts[name], labels=["camera"])
    for camera, value in values:
        family.add_metric([camera], value)
    return family


def _by_reason(
    name: str, text: str, figures: Mapping[str, CameraFigures], attribute: str
) -> Metric:
    family = CounterMetricFamily(f"maskgate_camera_{name}", text, labels=["camera", "reason"])
    for camera, of_camera in figures.items():
        for reason, count in getattr(of_camera, attribute).items():
            family.add_metric([camera, reason], count)
    return family
