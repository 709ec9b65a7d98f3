"""The parts of the page that all readers see, made once for each look of the collector."""

import threading
from collections.abc import Callable
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from desk.throughput import shown
from desk.throughput.ring import Point, Ring
from desk.throughput.sparkline import HEIGHT, WIDTH, polylines, top_of
from maskgate.protocol.topology import AUDIT_QUEUE, DEAD_QUEUE, LIVE_QUEUE, REVIEW_QUEUE

_QUEUES = {
    LIVE_QUEUE: "Live crops that wait",
    AUDIT_QUEUE: "Audit samples that wait",
    REVIEW_QUEUE: "Crops to label that wait",
    DEAD_QUEUE: "Dead letters",
}


class Rendered:
    """HTML from templates; made again when the ring has a new point."""

    def __init__(self, ring: Ring, templates: Environment) -> None:
        self._ring, self._templates = ring, templates
        self._lock = threading.Lock()
        self._point: Point | None = None
        self._parts: dict[str, Markup] = {}

    def figures(self, *, may_handle: bool) -> Markup:
        """Figures and notices; ``may_handle``: with the way to the dead letters."""
        return self._part(
            f"figures {may_handle}",
            "throughput/figures.html",
            lambda: {**figures_of(self._ring), "may_handle": may_handle},
        )

    def plots(self) -> Markup:
        """The plots, for browsers without JavaScript."""
        return self._part("plots", "throughput/plots.html", lambda: _drawn(self._ring))

    def _part(self, name: str, template: str, context: Callable[[], dict[str, Any]]) -> Markup:
        with self._lock:
            newest = self._ring.newest
            if newest is not self._point:
                self._point, self._parts = newest, {}
            if name not in self._parts:
                html = self._templates.get_template(template).render(context())
                self._parts[name] = Markup(html)  # noqa: S704  (templates escape their values)
            return self._parts[name]


def figures_of(ring: Ring) -> dict[str, Any]:
    """What ``figures.html`` shows."""
    newest = ring.newest
    return {
        "newest": newest,
        "queues": [
            (name, shown.count(newest.depths.get(queue)) if newest else "–")
            for queue, name in _QUEUES.items()
        ],
        "workers": newest.workers if newest else (),
        "cameras": newest.cameras if newest else (),
        "ready": sum(each.ready for each in newest.workers) if newest else 0,
        "speeds": shown.speeds(ring),
        "outcomes": shown.outcomes(ring),
        "memory": shown.memory(newest) if newest else "–",
        "history": shown.history(newest) if newest else "–",
    }


def _drawn(ring: Ring) -> dict[str, Any]:
    _, plots = shown.plots(ring)
    drawn = []
    for plot in plots:
        top = top_of(curve.values for curve in plot.curves)
        pieces = [(curve.name, polylines(curve.values, top)) for curve in plot.curves]
        drawn.append((plot, f"{top:,.0f} {plot.unit}".strip(), pieces))
    return {"plots": drawn, "width": WIDTH, "height": HEIGHT}
