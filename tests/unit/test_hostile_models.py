"""Model files that look right and are not: each is refused by name before any work is taken."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from maskgate.inference.card import METADATA_KEY
from maskgate.inference.model import Model
from maskgate.protocol.errors import ModelError
from tests.servers.processes import done
from worker.settings import SHIPPED_MODEL

onnx: Any = pytest.importorskip("onnx", reason="the trainer extra is not installed")


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def wide(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 29


def not_a_number(model: Any) -> None:
    """Multiply the output by NaN: quantised weights can't hold a NaN themselves."""
    insert_last(model, "Mul", np.asarray([np.nan, np.nan], np.float32))


def swapped(model: Any) -> None:
    """The classes in the other order, and nothing else."""
    insert_last(model, "Gather", np.asarray([1, 0]), axis=1)


def insert_last(model: Any, operator: str, constant: npt.NDArray[Any], **attributes: int) -> None:
    (output,) = (each.name for each in model.graph.output)
    last = next(node for node in model.graph.node if node.output[0] == output)
    last.output[0] = "before"
    model.graph.node.append(
        onnx.helper.make_node(operator, ["before", "constant"], [output], **attributes)
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(constant, "constant"))


def drawn_anew(damage: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    """The bytes of a model file whose graph was damaged, its card left as it was."""

    def damaged(content: bytes) -> bytes:
        model = onnx.load_from_string(content)
        damage(model)
        return bytes(model.SerializeToString())

    return damaged


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda content: content[: len(content) // 2], "truncated"),
    "wrong hash": (lambda content: content, "pinned is 0000"),
    "missing metadata": (
        lambda content: content.replace(METADATA_KEY.encode(), b"maskgate.cart"),
        "no 'maskgate.card' in its metadata",
    ),
    "external data path": (drawn_anew(external), "outside the file"),
    "wrong input shape": (drawn_anew(wide), "29"),
    "NaN logits": (drawn_anew(not_a_number), "a logit that is not finite"),
    "swapped labels": (drawn_anew(swapped), "golden vector is off"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_worker_takes_no_work_with_a_model_that_is_not_what_its_card_says(
    name: str, tmp_path: Path
) -> None:
    damage, complaint = DAMAGES[name]
    path = tmp_path / "bad.onnx"
    path.write_bytes(damage(SHIPPED_MODEL.read_bytes()))
    pinned = "0" * 64 if name == "wrong hash" else None
    with pytest.raises(ModelError, match=complaint):
        Model.load(path, pinned)
    environment = {"MASKGATE_MODEL_PATH": str(path)} | (
        {"MASKGATE_MODEL_SHA256": pinned} if pinned else {}
    )
    # Whoever connects first never ends: there is no broker, and a worker waits for one.
    ended = done(
        "worker",
        environment={
            **environment,
            "MASKGATE_BROKER_URL": "amqp://127.0.0.1:1",
            "MASKGATE_LOG_JSON": "true",
        },
    )
    (reported,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, reported["event"]) == (66, "worker.bad_model")
    assert str(path) in reported["error"]
    assert re.search(complaint, reported["error"])
