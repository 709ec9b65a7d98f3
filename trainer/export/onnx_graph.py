"""Convert a torch network to ONNX, in float or in 8-bit integers."""

import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from maskgate.inference.card import InputShape
from maskgate.inference.preprocess import normalise
from maskgate.protocol.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT, OUTPUT = "crops", "logits"


def float_graph(network: nn.Module, shape: InputShape) -> onnx.ModelProto:
    """The graph for (batch, channels, height, width) float32, without paths of this machine.

    Raises:
        ModelError: torch gave no graph.
    """
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(2, shape.channels, shape.height, shape.width),),
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    if program is None:
        msg = "torch.onnx.export gave no graph"
        raise ModelError(msg)
    return _bare(program.model_proto)


def int8_graph(graph: onnx.ModelProto, reduced: npt.NDArray[np.uint8]) -> onnx.ModelProto:
    """Static quantisation (QDQ); images at the network's input size give the ranges.

    ``reduced`` is (n, height, width, channels) uint8. Weights use 7 of their 8 bits: processors
    without VNNI add two products in 16 bits, which overflow with 8 × 8 bits (onnxruntime's
    documentation of quantisation, "When and why do I need to try U8U8?").
    """
    with tempfile.TemporaryDirectory() as folder:
        before, prepared, after = (
            Path(folder) / name for name in ("float.onnx", "prepared.onnx", "int8.onnx")
        )
        before.write_bytes(graph.SerializeToString(deterministic=True))
        with _quiet():
            quant_pre_process(str(before), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(after),
                _Images(reduced),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        return _bare(onnx.load(str(after)))


@contextmanager
def _quiet() -> "Iterator[None]":
    """Hide warnings: torch asks for torchvision, onnxruntime for a preparation that was done."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, reduced: npt.NDArray[np.uint8]) -> None:
        self._batches: Iterator[npt.NDArray[np.float32]] = iter(
            normalise(reduced[i : i + 64]) for i in range(0, len(reduced), 64)
        )

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def _bare(content: onnx.ModelProto) -> onnx.ModelProto:
    # The origin of each node in Python has paths of this machine, and is as large as the weights.
    for node in content.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (
        *content.graph.value_info,
        *content.graph.input,
        *content.graph.output,
        *content.graph.initializer,
    ):
        del value.metadata_props[:]
    del content.graph.metadata_props[:]
    del content.metadata_props[:]
    onnx.checker.check_model(content, full_check=True)
    return content
