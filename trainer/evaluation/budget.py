"""How large a network may be: parameters and time per crop of each width.

Times are compared with that of the published notebook's CNN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskgate.inference.card import InputShape
from trainer.evaluation.latency import latencies
from trainer.export.onnx_graph import float_graph, int8_graph
from trainer.networks.architectures import build

WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
BASELINE = "notebook"


@dataclass(frozen=True, slots=True)
class Size:
    """One network in one precision.

    ``us_per_crop`` is in microseconds; ``ratio`` is that divided by the time of the notebook's CNN
    in the same run.
    """

    network: str
    width: float
    written: str
    parameters: int
    size_bytes: int
    us_per_crop: float
    ratio: float


def baseline() -> bytes:
    """The published notebook's CNN (28 × 28 grey, 224,002 parameters) as ONNX.

    Its weights are random: they do not change its cost.
    """
    content: bytes = float_graph(build(BASELINE, 1, 28), InputShape(28, 28, 1)).SerializeToString()
    return content


def sizes(
    network: str, channels: int, side_px: int, widths: Sequence[float] = WIDTHS
) -> list[Size]:
    """The cost of each width, in float and in int8, all measured in one run."""
    shape = InputShape(side_px, side_px, channels)
    noise = np.random.default_rng(0).integers(0, 256, (64, side_px, side_px, channels), np.uint8)
    contents, parameters = {(BASELINE, 0.0, "float"): baseline()}, {}
    for width in widths:
        built = build(network, channels, side_px, width)
        parameters[width] = sum(p.numel() for p in built.parameters())
        graph = float_graph(built, shape)
        contents[network, width, "float"] = graph.SerializeToString()
        contents[network, width, "int8"] = int8_graph(graph, noise).SerializeToString()
    cost = latencies({"/".join(map(str, key)): content for key, content in contents.items()})
    baseline_us = cost[f"{BASELINE}/0.0/float"].median_us
    return [
        Size(name, width, written, parameters[width], len(content), us, us / baseline_us)
        for (name, width, written), content in contents.items()
        if width and (us := cost[f"{name}/{width}/{written}"].median_us)
    ]


def largest_within(
    found: Sequence[Size], budget_us: float | None, budget_parameters: int | None
) -> Size | None:
    """The widest network within both budgets; None if there is none."""
    fits = [
        size
        for size in found
        if (budget_us is None or size.us_per_crop <= budget_us)
        and (budget_parameters is None or size.parameters <= budget_parameters)
    ]
    return max(fits, key=lambda size: (size.width, -size.us_per_crop), default=None)
