"""Translates a TFLite network of convolutions to ONNX, for any size of its input.

onnxruntime needs two thirds of the time that OpenCV's TFLite engine needs for the same network, and
its results are the same to the fifth digit; docs/adr/0048. TFLite's tensors are (picture, row,
column, channel), ONNX's (picture, channel, row, column).
"""

import numpy as np
import numpy.typing as npt

from producer.video.detection import onnx_writer
from producer.video.detection.tflite_file import Array, Code, Network, Operator, read

#: The name of the translated network's input.
INPUT = "input"

_PADDINGS = ("SAME_UPPER", "VALID")


def to_onnx(content: bytes) -> bytes:
    """The ONNX file of a TFLite file. Its input is float32 (1, 3, height, width).

    Raises:
        ValueError: it is no TFLite file, or has something that is not translated.
    """
    return _Translation(read(content)).model()


class _Translation:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._weights = dict(network.constants)
        self._constants: dict[str, Array] = {}
        self._nodes: list[bytes] = []

    def model(self) -> bytes:
        for operator in self._network.operators:
            self._add(operator)
        (start,) = self._network.inputs
        outputs = {
            self._name(number): (1, "anchors", self._network.shapes[number][-1])
            for number in self._network.outputs
        }
        sides = {INPUT: (1, self._network.shapes[start][-1], "height", "width")}
        return onnx_writer.model(self._nodes, self._constants, sides, outputs)

    def _add(self, operator: Operator) -> None:
        match operator.code:
            case Code.DEQUANTIZE:  # the weights are stored as float16
                self._weights[operator.outputs[0]] = self._weight(operator, 0)
            case Code.CONV_2D:
                self._convolve(operator, self._weight(operator, 1).transpose(0, 3, 1, 2))
            case Code.DEPTHWISE_CONV_2D:
                self._convolve(operator, self._weight(operator, 1).transpose(3, 0, 1, 2))
            case Code.MAX_POOL_2D:
                window, padding = self._window(operator, activation=5)
                sides = [operator.option(4), operator.option(3)]
                self._node(
                    "MaxPool", operator, kernel_shape=sides, auto_pad=padding, strides=window
                )
            case Code.ADD:
                self._node("Add", operator)
            case Code.RELU:
                self._node("Relu", operator)
            case Code.PAD:
                before, after = self._weight(operator, 1)[[0, 3, 1, 2]].T
                self._node("Pad", operator, np.concatenate([before, after]).astype(np.int64))
            case Code.RESHAPE:
                self._flatten(operator)
            case Code.CONCATENATION:
                self._node("Concat", operator, axis=operator.option(0))

    def _convolve(self, operator: Operator, weights: Array) -> None:
        depthwise = operator.code is Code.DEPTHWISE_CONV_2D
        strides, padding = self._window(operator, activation=4 if depthwise else 3)
        self._node(
            "Conv",
            operator,
            weights,
            self._weight(operator, 2),
            auto_pad=padding,
            strides=strides,
            group=len(weights) if depthwise else 1,
        )

    def _flatten(self, operator: Operator) -> None:
        """(1, channels, rows, columns) as (1, anchors, values), cell after cell."""
        (flat,) = operator.outputs
        turned = f"{self._name(flat)}/turned"
        source = self._name(operator.inputs[0])
        self._nodes.append(onnx_writer.node("Transpose", [source], turned, perm=[0, 2, 3, 1]))
        shape = np.array([1, -1, self._network.shapes[flat][-1]], np.int64)
        self._nodes.append(
            onnx_writer.node("Reshape", [turned, self._constant(flat, 0, shape)], self._name(flat))
        )

    def _node(
        self, name: str, operator: Operator, *constants: Array, **attributes: onnx_writer.Attribute
    ) -> None:
        (output,) = operator.outputs
        known = self._weights.keys()
        inputs = [self._name(number) for number in operator.inputs if number not in known]
        inputs += [self._constant(output, i, values) for i, values in enumerate(constants)]
        self._nodes.append(onnx_writer.node(name, inputs, self._name(output), **attributes))

    def _constant(self, output: int, i: int, values: Array) -> str:
        name = f"{self._name(output)}/{i}"
        self._constants[name] = values
        return name

    def _weight(self, operator: Operator, i: int) -> npt.NDArray[np.float32]:
        try:
            return np.asarray(self._weights[operator.inputs[i]], np.float32)
        except (KeyError, IndexError):
            msg = f"{operator.code.name}: its input {i} is no constant"
            raise ValueError(msg) from None

    def _window(self, operator: Operator, *, activation: int) -> tuple[list[int], str]:
        """The strides down and across, and the padding, of a convolution or a pool."""
        if operator.option(activation, "b"):
            msg = f"{operator.code.name}: an activation in it is not translated"
            raise ValueError(msg)
        return [operator.option(2), operator.option(1)], _PADDINGS[operator.option(0, "b")]

    def _name(self, number: int) -> str:
        return INPUT if number in self._network.inputs else self._network.names[number]
