"""The time per crop of model files.

All are measured alternately in one run, so that their ratios hold on a busy machine.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maskgate.inference.session import open_session

_ROUNDS, _CROPS_A_ROUND = 15, 256


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds per crop: the median and the quartiles over the rounds."""

    median_us: float
    low_us: float
    high_us: float


def latencies(
    models: Mapping[str, bytes], batch: int = 32, rounds: int = _ROUNDS
) -> dict[str, Latency]:
    """The latency of each ONNX file in onnxruntime, on one thread and without preprocessing."""
    sessions = {name: open_session(content) for name, content in models.items()}
    rng = np.random.default_rng(0)
    inputs = {
        name: {
            s.get_inputs()[0].name: rng.standard_normal(
                (batch, *s.get_inputs()[0].shape[1:])
            ).astype(np.float32)
        }
        for name, s in sessions.items()
    }
    times: dict[str, list[float]] = {name: [] for name in models}
    runs = max(1, _CROPS_A_ROUND // batch)
    for _ in range(rounds):
        for name, session in sessions.items():
            session.run(None, inputs[name])
            begun_s = time.perf_counter()
            for _ in range(runs):
                session.run(None, inputs[name])
            times[name].append((time.perf_counter() - begun_s) / runs / batch * 1e6)
    return {
        name: Latency(*(float(q) for q in np.percentile(t, (50, 25, 75))))
        for name, t in times.items()
    }
