"""Model files that look right and are not: each is refused by name before any work is taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.errors import ModelError
from contract.model import Model
from tests.servers.processes import done
from worker.settings import SHIPPED_MODEL

onnx: Any = pytest.importorskip("onnx", reason="the trainer extra is not installed")


def external(model: Any) -> None:  # noqa: ANN401  (onnx ships no types)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def wide(model: Any) -> None:  # noqa: ANN401
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 29


def not_a_number(model: Any) -> None:  # noqa: ANN401
    """A scale that is NaN makes every answer one."""
    scale = next(tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
    values = np.full_like(onnx.numpy_helper.to_array(scale), np.nan)
    scale.CopyFrom(onnx.numpy_helper.from_array(values, scale.name))


def swapped(model: Any) -> None:  # noqa: ANN401
    """The classes in the other order, and nothing else."""
    last = next(node for node in model.graph.node if node.output[0] == model.graph.output[0].name)
    model.graph.node.append(onnx.helper.make_node("Gather", [last.output[0] + ".right", "order"], [last.output[0]], axis=1))
    last.output[0] += ".right"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray([1, 0]), "order"))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [(external, "outside the file"), (wide, "29"), (not_a_number, "not finite|golden vector"), (swapped, "golden vector is off")],
)
def test_a_worker_takes_no_work_with_a_model_that_is_not_what_its_card_says(
    damage: Callable[[Any], None], complaint: str, tmp_path: Path
) -> None:
    model, path = onnx.load(str(SHIPPED_MODEL)), tmp_path / "bad.onnx"
    damage(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=complaint):
        Model.load(path)
    ended = done("worker", environment={"MASKGATE_MODEL_PATH": str(path), "MASKGATE_BROKER_URL": "amqp://127.0.0.1:1"})
    assert (ended.returncode, str(path) in ended.stderr) == (66, True)
