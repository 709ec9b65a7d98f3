"""Writes an ONNX file: as much of the protobuf format as a network of convolutions needs.

Field numbers are from ``onnx.proto3``. A camera does not install the onnx package.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Value = int | str | bytes
Attribute = int | str | Sequence[int]

_IR_VERSION, _OPSET = 8, 17
_INT, _STRING, _INTS = 2, 3, 7
_FLOAT = 1
_DATA_TYPES = {np.dtype(np.float32): _FLOAT, np.dtype(np.int64): 7}


def model(
    nodes: Iterable[bytes],
    constants: Mapping[str, npt.NDArray[np.generic]],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
) -> bytes:
    """A model of one graph. Inputs and outputs have their shapes; a named side is any."""
    graph = _message(
        *((1, node) for node in nodes),
        (2, "graph"),
        *((5, _tensor(name, values)) for name, values in constants.items()),
        *((11, _value(name, shape)) for name, shape in inputs.items()),
        *((12, _value(name, shape)) for name, shape in outputs.items()),
    )
    opset = _message((1, ""), (2, _OPSET))
    return _message((1, _IR_VERSION), (7, graph), (8, opset))


def node(operator: str, inputs: Iterable[str], output: str, **attributes: Attribute) -> bytes:
    """One operator with one output."""
    return _message(
        *((1, name) for name in inputs),
        (2, output),
        (4, operator),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _message((1, name), (3, value), (20, _INT))
    if isinstance(value, str):
        return _message((1, name), (4, value), (20, _STRING))
    return _message((1, name), *((8, each) for each in value), (20, _INTS))


def _tensor(name: str, values: npt.NDArray[np.generic]) -> bytes:
    raw = np.ascontiguousarray(values).tobytes()
    sides = ((1, side) for side in values.shape)
    return _message(*sides, (2, _DATA_TYPES[values.dtype]), (8, name), (9, raw))


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sides = (_message((1 if isinstance(side, int) else 2, side)) for side in shape)
    tensor = _message((1, _FLOAT), (2, _message(*((1, side) for side in sides))))
    return _message((1, name), (2, _message((1, tensor))))


def _message(*fields: tuple[int, Value]) -> bytes:
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
