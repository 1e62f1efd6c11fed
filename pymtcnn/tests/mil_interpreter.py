"""Runs a saved CoreML program in NumPy: its own operations and weight file, nothing of the code that made it.

Products are summed in float32 and each operation's result is rounded to the type that the program gives it, as
processors with float16 storage do. Only the operations of MTCNN's programs are known.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# MIL's data types: coremltools/proto, MIL.proto
_TYPES: dict[int, Any] = {
    10: np.float16,
    11: np.float32,
    21: np.int8,
    23: np.int32,
    24: np.int64,
    1: bool,
    2: str,
}
# Types in the header of a record of the weight file.
_BLOB_TYPES = {1: np.float16, 2: np.float32}
_SENTINEL = 0xDEADBEEF


class Program:
    """A saved ``.mlpackage``; has the interface of a loaded CoreML model."""

    def __init__(self, package: Path) -> None:
        from coremltools.proto import Model_pb2

        (specification,) = package.rglob("*.mlmodel")
        (weights,) = package.rglob("weight.bin")
        self.spec = Model_pb2.Model()
        self.spec.ParseFromString(specification.read_bytes())
        self.blob = weights.read_bytes()
        (block,) = self.spec.mlProgram.functions["main"].block_specializations.values()
        self.output = block.outputs[0]
        self.operations = list(block.operations)
        self.constants = {
            operation.outputs[0].name: self._value(operation.attributes["val"])
            for operation in self.operations
            if operation.type == "const"
        }

    def _value(self, value: Any) -> Any:
        kind = value.type.tensorType
        shape = [int(d.constant.size) for d in kind.dimensions]
        dtype = _TYPES[kind.dataType]
        if value.HasField("blobFileValue"):
            offset = value.blobFileValue.offset
            sentinel, blob_type, size, start = struct.unpack_from("<IIQQ", self.blob, offset)
            assert sentinel == _SENTINEL
            assert _BLOB_TYPES[blob_type] is dtype
            return np.frombuffer(self.blob, dtype, size // np.dtype(dtype).itemsize, start).reshape(shape)
        tensor = value.immediateValue.tensor
        field = tensor.WhichOneof("value")
        if field == "bytes":
            values = np.frombuffer(tensor.bytes.values, dtype)
        else:
            values = np.array(list(getattr(tensor, field).values), object if dtype is str else dtype)
        return values.reshape(shape) if shape else values[0]

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {**self.constants, **data}
        for operation in self.operations:
            if operation.type == "const":
                continue
            arguments = {name: known[binding.arguments[0].name] for name, binding in operation.inputs.items()}
            (output,) = operation.outputs
            dtype = _TYPES[output.type.tensorType.dataType]
            result = _OPERATIONS[operation.type](**arguments)
            known[output.name] = np.asarray(result).astype(dtype)
        return {self.output: known[self.output]}


def _plain(*values: Any) -> list[Any]:
    return [np.asarray(v, np.float32) for v in values]


def _conv(
    x: Any, weight: Any, bias: Any, strides: Any, pad_type: str, dilations: Any, groups: int, pad: Any
) -> Any:
    assert pad_type == "valid"
    assert groups == 1
    assert list(strides) == list(dilations) == [1, 1]
    assert not np.any(pad)
    x, weight, bias = _plain(x, weight, bias)
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    rows = windows.reshape(*windows.shape[:3], -1)
    return (rows @ weight.reshape(len(weight), -1).T + bias).transpose(0, 3, 1, 2)


def _max_pool(x: Any, kernel_sizes: Any, strides: Any, pad_type: str, ceil_mode: bool, pad: Any) -> Any:
    assert pad_type == "valid"
    assert not np.any(pad)
    (size, _), (stride, _) = kernel_sizes, strides
    x = np.asarray(x, np.float32)
    beyond = [-(length - size) % stride if ceil_mode else 0 for length in x.shape[2:]]
    x = np.pad(x, ((0, 0), (0, 0), (0, beyond[0]), (0, beyond[1])), constant_values=-np.inf)
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride].max(axis=(4, 5))


def _prelu(x: Any, alpha: Any) -> Any:
    x, alpha = _plain(x, alpha)
    return np.where(x > 0, x, alpha[:, None, None] * x)


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    x, weight, bias = _plain(x, weight, bias)
    return x @ weight.T + bias


_OPERATIONS: dict[str, Any] = {
    "cast": lambda x, dtype: x,
    "conv": _conv,
    "max_pool": _max_pool,
    "prelu": _prelu,
    "linear": _linear,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "relu": lambda x: np.maximum(x, 0),
    "sub": lambda x, y: np.subtract(*_plain(x, y)),
    "mul": lambda x, y: np.multiply(*_plain(x, y)),
    "add": lambda x, y: np.add(*_plain(x, y)),
}
