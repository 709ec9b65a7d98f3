"""Finds out whether an ONNX file keeps weights in other files.

onnxruntime would open any path that such a file names. The worker does not install the onnx
package, so this module reads as much of the protobuf wire format as the question needs.
Field numbers are from onnx.proto3.
"""

from collections.abc import Iterator

from maskgate.protocol.errors import ModelError

#: Message, field number, message in that field: every way from the model to a tensor. A test
#: derives the same from the onnx package.
LEADS_TO = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
}
_EXTERNAL_FIELDS = (13, 14)  # TensorProto.external_data, data_location
_MAX_TAG = (1 << 32) - 1  # readers of protobuf differ about higher ones
_MAX_DEPTH = 16
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def has_external_data(content: bytes) -> bool:
    """Whether any tensor of the model names external data.

    Raises:
        ModelError: the bytes are not protobuf.
    """
    try:
        return _search(memoryview(content), "Model", 0)
    except IndexError:
        msg = "is not an ONNX file, or is truncated"
        raise ModelError(msg) from None


def _search(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise IndexError
    for field, value in _fields(message):
        if kind == "Tensor":
            if field in _EXTERNAL_FIELDS and value not in (0, b""):
                return True
        elif (
            (inner := LEADS_TO[kind].get(field))
            and isinstance(value, memoryview)
            and _search(value, inner, depth + 1)
        ):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag > _MAX_TAG:
            raise IndexError
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            number, at = _varint(message, at)
            yield field, number
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise IndexError
        if at + length > len(message):
            raise IndexError
        yield field, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
