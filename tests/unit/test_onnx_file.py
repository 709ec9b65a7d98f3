"""External data is found wherever the format allows a tensor, in files of the onnx package."""

from collections.abc import Callable
from typing import Any

import pytest

from maskgate.inference.onnx_file import LEADS_TO, has_external_data
from maskgate.protocol.errors import ModelError

onnx: Any = pytest.importorskip("onnx", reason="the trainer extra is not installed")


def tensor(*, external: bool) -> Any:
    made = onnx.TensorProto(dims=[1], data_type=onnx.TensorProto.FLOAT, name="t")
    if external:
        made.data_location = onnx.TensorProto.EXTERNAL
        made.external_data.add(key="location", value="/etc/passwd")
    else:
        made.raw_data = bytes(4)
    return made


def sparse(inner: Any) -> Any:
    return onnx.SparseTensorProto(values=inner, dims=[1])


def indices(inner: Any) -> Any:
    return onnx.SparseTensorProto(indices=inner, dims=[1])


def attribute(**fields: Any) -> Any:
    return onnx.AttributeProto(name="a", **fields)


def node(each: Any) -> Any:
    return onnx.NodeProto(op_type="Constant", attribute=[each])


def graph(each: Any) -> Any:
    return onnx.GraphProto(name="g", node=[node(each)])


def model(**fields: Any) -> Any:
    return onnx.ModelProto(ir_version=8, **fields)


PLACES: dict[str, Callable[[Any], Any]] = {
    "initialiser": lambda t: model(graph=onnx.GraphProto(initializer=[t])),
    "sparse initialiser": lambda t: model(graph=onnx.GraphProto(sparse_initializer=[sparse(t)])),
    "its indices": lambda t: model(graph=onnx.GraphProto(sparse_initializer=[indices(t)])),
    "attribute": lambda t: model(graph=graph(attribute(t=t))),
    "attribute's tensors": lambda t: model(graph=graph(attribute(tensors=[t]))),
    "attribute's sparse tensor": lambda t: model(graph=graph(attribute(sparse_tensor=sparse(t)))),
    "attribute's sparse tensors": lambda t: model(
        graph=graph(attribute(sparse_tensors=[sparse(t)]))
    ),
    "subgraph": lambda t: model(graph=graph(attribute(g=graph(attribute(t=t))))),
    "subgraphs": lambda t: model(graph=graph(attribute(graphs=[graph(attribute(t=t))]))),
    "function": lambda t: model(functions=[onnx.FunctionProto(node=[node(attribute(t=t))])]),
    "function's default": lambda t: model(
        functions=[onnx.FunctionProto(attribute_proto=[attribute(t=t)])]
    ),
    "training": lambda t: model(
        training_info=[onnx.TrainingInfoProto(algorithm=graph(attribute(t=t)))]
    ),
    "training's start": lambda t: model(
        training_info=[onnx.TrainingInfoProto(initialization=graph(attribute(t=t)))]
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_in_each_place_and_only_if_it_is_there(place: str) -> None:
    inside, outside = (
        PLACES[place](tensor(external=external)).SerializeToString() for external in (False, True)
    )
    assert not has_external_data(inside)
    assert has_external_data(outside)


def test_no_way_from_the_model_to_a_tensor_is_forgotten() -> None:
    ways: dict[str, dict[int, str]] = {}
    for name in ("Model", "Graph", "Node", "Attribute", "SparseTensor", "Function", "TrainingInfo"):
        fields = getattr(onnx, f"{name}Proto").DESCRIPTOR.fields
        ways[name] = {
            field.number: field.message_type.name.removesuffix("Proto")
            for field in fields
            if field.message_type and _reaches_a_tensor(field.message_type, set())
        }
    assert ways == LEADS_TO


def _reaches_a_tensor(message: Any, seen: set[str]) -> bool:
    if message.name == "TensorProto":
        return True
    if message.name in seen:
        return False
    seen.add(message.name)
    return any(
        _reaches_a_tensor(field.message_type, seen)
        for field in message.fields
        if field.message_type
    )


def test_a_field_number_of_more_than_32_bits_does_not_hide_a_tensor() -> None:
    graph_bytes = onnx.GraphProto(initializer=[tensor(external=True)]).SerializeToString()
    # Field 7 in five bytes, of which the highest bit does not fit into 32.
    hidden = b"\xba\x80\x80\x80\x10" + bytes([len(graph_bytes)]) + graph_bytes
    with pytest.raises(ModelError, match="not an ONNX file"):
        has_external_data(hidden)
