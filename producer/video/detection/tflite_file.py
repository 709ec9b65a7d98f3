"""Reads a TFLite file: as much of the FlatBuffers format as a network of convolutions needs.

Field numbers are from TensorFlow's ``schema.fbs``. The caller has checked the file's hash.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

#: float32, float16, int32: ``TensorType``.
_TYPES: Sequence[type[np.generic]] = (np.float32, np.float16, np.int32)


class Code(IntEnum):
    """``BuiltinOperator``: the operators that are read."""

    ADD = 0
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    MAX_POOL_2D = 17
    RELU = 19
    RESHAPE = 22
    PAD = 34


class Table:
    """A table of a FlatBuffer, whose fields are numbered."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    @classmethod
    def root(cls, content: bytes) -> "Table":
        """The table that a file begins with."""
        return cls(content, _number(content, 0, "I"))

    def number(self, field: int, kind: str = "i") -> int:
        """A number, 0 if it is not there; ``kind`` is a format of ``struct``."""
        at = self._place(field)
        return _number(self._content, at, kind) if at else 0

    def table(self, field: int) -> "Table":
        """A table; ValueError if it is not there."""
        at = self._place(field)
        if not at:
            msg = f"field {field} is missing"
            raise ValueError(msg)
        return Table(self._content, self._target(at))

    def tables(self, field: int) -> list["Table"]:
        """A list of tables."""
        begin, count = self._vector(field)
        return [Table(self._content, self._target(begin + 4 * i)) for i in range(count)]

    def numbers(self, field: int, dtype: type[np.generic] = np.int32) -> Array:
        """A list of numbers; of bytes with uint8."""
        begin, count = self._vector(field)
        return np.frombuffer(self._content, dtype, count, begin)

    def _place(self, field: int) -> int:
        fields = self._at - _number(self._content, self._at, "i")
        entry = 4 + 2 * field
        inside = entry < _number(self._content, fields, "H")
        offset = _number(self._content, fields + entry, "H") if inside else 0
        return self._at + offset if offset else 0

    def _target(self, at: int) -> int:
        return at + _number(self._content, at, "I")

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._place(field)
        if not at:
            return 0, 0
        target = self._target(at)
        return target + 4, _number(self._content, target, "I")


@dataclass(frozen=True, slots=True)
class Operator:
    """One step; tensors are named by their number."""

    code: Code
    inputs: list[int]
    outputs: list[int]
    options: Table

    def option(self, field: int, kind: str = "i") -> int:
        """A number of the operator's options, 0 if it is not there."""
        return self.options.table(4).number(field, kind)


@dataclass(frozen=True, slots=True)
class Network:
    """Operators in their order; ``constants`` are the weights, by the number of the tensor."""

    operators: list[Operator]
    constants: dict[int, Array]
    shapes: list[list[int]]
    names: list[str]
    inputs: list[int]
    outputs: list[int]


def read(content: bytes) -> Network:
    """The first graph of a file.

    Raises:
        ValueError: it is no TFLite file, is truncated, or has another kind of operator or tensor.
    """
    try:
        return _network(Table.root(content))
    except (struct.error, IndexError, OverflowError) as error:
        msg = f"is no TFLite file, or is truncated: {error}"
        raise ValueError(msg) from None


def _network(model: Table) -> Network:
    # Newer files have the code in field 3, older ones in field 0.
    codes = [max(each.number(0, "b"), each.number(3)) for each in model.tables(1)]
    buffers = [each.numbers(0, np.uint8) for each in model.tables(4)]
    graph = model.tables(2)[0]
    tensors = graph.tables(0)
    constants = {}
    for number, tensor in enumerate(tensors):
        if len(data := buffers[tensor.number(2, "I")]):
            dtype = _TYPES[tensor.number(1, "b")]
            constants[number] = data.view(dtype).reshape(tensor.numbers(0).tolist())
    operators = [
        Operator(
            _code(codes[each.number(0, "I")]),
            each.numbers(1).tolist(),
            each.numbers(2).tolist(),
            each,
        )
        for each in graph.tables(3)
    ]
    return Network(
        operators,
        constants,
        [tensor.numbers(0).tolist() for tensor in tensors],
        [bytes(tensor.numbers(3, np.uint8)).decode() for tensor in tensors],
        graph.numbers(1).tolist(),
        graph.numbers(2).tolist(),
    )


def _code(number: int) -> Code:
    if number not in set(Code):
        msg = f"operator {number} is not read"
        raise ValueError(msg)
    return Code(number)


def _number(content: bytes, at: int, kind: str) -> int:
    (number,) = struct.unpack_from(f"<{kind}", content, at)
    return int(number)
