"""Finds out whether an ONNX file keeps weights in other files.

onnxruntime would open any path that such a file names. The worker does not install the onnx
package, so this module reads as much of the protobuf wire format as the question needs.
Field numbers from onnx.proto3: ModelProto.graph 7; GraphProto.node 1, initializer 5;
TensorProto.external_data 13, data_location 14; NodeProto.attribute 5;
AttributeProto.t 5, g 6, tensors 10, graphs 11.
"""

from collections.abc import Iterator

from maskgate.protocol.errors import ModelError

# Message → field number → message in that field, on every path from the model to a tensor.
_GRAPH, _NODE, _ATTRIBUTE, _TENSOR = "graph", "node", "attribute", "tensor"
_LEADS_TO = {
    "model": {7: _GRAPH},
    _GRAPH: {1: _NODE, 5: _TENSOR},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH},
}
_EXTERNAL_FIELDS = (13, 14)
_MAX_DEPTH = 16
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def has_external_data(content: bytes) -> bool:
    """Whether any tensor of the model names external data.

    Raises:
        ModelError: the bytes are not protobuf.
    """
    try:
        return _search(memoryview(content), "model", 0)
    except IndexError:
        msg = "is not an ONNX file, or is truncated"
        raise ModelError(msg) from None


def _search(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise IndexError
    for field, value in _fields(message):
        if kind == _TENSOR:
            if field in _EXTERNAL_FIELDS and value not in (0, b""):
                return True
        elif (
            (inner := _LEADS_TO[kind].get(field))
            and isinstance(value, memoryview)
            and _search(value, inner, depth + 1)
        ):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
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
