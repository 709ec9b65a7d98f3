"""The networks alone, in µs per crop, with onnxruntime on one thread.

maskgate's networks are compared to the notebook's CNN and to MobileNetV2 at 224 px.
"""

from torch import nn

from maskgate.inference.card import InputShape
from tests.benchmarks.bench import Bench
from tests.benchmarks.thumbnail import THUMBNAIL_MODEL
from trainer.evaluation.budget import baseline
from trainer.evaluation.latency import latencies
from trainer.export.onnx_graph import float_graph
from trainer.networks.lite import InvertedResidual
from worker.settings import SHIPPED_MODEL

_BATCH = 16
NOTEBOOK = "the notebook's CNN, 28 px grey"


def mobilenet_v2() -> nn.Module:
    """MobileNetV2 (table 2 of the paper) with two classes and random weights: only speed counts."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 32, 3, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU6(),
    ]
    before = 32
    for expansion, after, count, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for i in range(count):
            layers.append(InvertedResidual(before, after, 3, stride if i == 0 else 1, expansion))
            before = after
    layers += [
        nn.Conv2d(before, 1280, 1, bias=False),
        nn.BatchNorm2d(1280),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers, nn.Linear(1280, 2)).eval()


def networks(bench: Bench) -> None:
    """Measure all networks alternately, with the trainer's own latency function."""
    bench.tell("networks")
    models = {
        "mask.onnx as shipped": SHIPPED_MODEL.read_bytes(),
        "the benchmarks' thumbnail network, 28 px colour": THUMBNAIL_MODEL.read_bytes(),
        NOTEBOOK: baseline(),
        "MobileNetV2, 224 px colour": float_graph(
            mobilenet_v2(), InputShape(224, 224, 3)
        ).SerializeToString(),
    }
    rounds = [latencies(models, batch=_BATCH, rounds=1) for _ in range(bench.rounds)]
    found = {name: [one[name].median_us for one in rounds] for name in models}
    bench.results.table(
        "Network alone", "µs a crop", found, reference=NOTEBOOK, note=f"batches of {_BATCH}"
    )
