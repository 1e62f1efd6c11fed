"""Runs a saved CoreML program by ONNX Runtime: its own operations and weight file, nothing of the code that made it.

Products are summed in float32 and each operation's result is rounded to the type that the program gives it, as
processors with float16 storage do. Only the operations of MTCNN's programs are known.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

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

    @cached_property
    def session(self) -> Any:
        """The operations one by one as ONNX nodes; optimisations are off, because they would drop roundings."""
        nodes, constants = [], []
        for number, operation in enumerate(self.operations):
            if operation.type == "const":
                continue
            arguments = {name: binding.arguments[0].name for name, binding in operation.inputs.items()}
            (output,) = operation.outputs
            half = _TYPES[output.type.tensorType.dataType] is np.float16
            raw = f"raw{number}" if half else output.name
            kind, inputs, attributes = _NODES[operation.type](self, arguments)
            nodes.append(helper.make_node(kind, inputs, [raw], **attributes))
            if half:
                nodes.append(helper.make_node("Cast", [raw], [f"half{number}"], to=TensorProto.FLOAT16))
                nodes.append(helper.make_node("Cast", [f"half{number}"], [output.name], to=TensorProto.FLOAT))
        used = {name for node in nodes for name in node.input}
        for name, value in self.constants.items():
            if name in used:
                array = np.asarray(value)
                wide = array.astype(np.float32) if array.dtype == np.float16 else array
                constants.append(numpy_helper.from_array(wide, name))
        graph = helper.make_graph(
            nodes,
            "program",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [None, 3, None, None])],
            [helper.make_tensor_value_info(self.output, TensorProto.FLOAT, None)],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        settings.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )

    def slopes(self, name: str) -> str:
        """PReLU's slopes in ONNX's shape."""
        value = self.constants[name]
        self.constants[f"{name}/maps"] = value.reshape(-1, 1, 1)
        return f"{name}/maps"

    def shape(self, name: str) -> str:
        """A shape as ONNX's int64."""
        self.constants[f"{name}/int64"] = np.asarray(self.constants[name], np.int64)
        return f"{name}/int64"

    def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        return {self.output: self.session.run(None, data)[0]}


_Node = tuple[str, list[str], dict[str, Any]]


def _conv(program: Program, arguments: dict[str, str]) -> _Node:
    known = program.constants
    assert known[arguments["pad_type"]] == "valid"
    assert known[arguments["groups"]] == 1
    assert list(known[arguments["strides"]]) == list(known[arguments["dilations"]]) == [1, 1]
    assert not np.any(known[arguments["pad"]])
    return "Conv", [arguments["x"], arguments["weight"], arguments["bias"]], {}


def _max_pool(program: Program, arguments: dict[str, str]) -> _Node:
    known = program.constants
    assert known[arguments["pad_type"]] == "valid"
    assert not np.any(known[arguments["pad"]])
    attributes = {
        "kernel_shape": [int(v) for v in known[arguments["kernel_sizes"]]],
        "strides": [int(v) for v in known[arguments["strides"]]],
        "ceil_mode": int(known[arguments["ceil_mode"]]),
    }
    return "MaxPool", [arguments["x"]], attributes


_NODES: dict[str, Callable[[Program, dict[str, str]], _Node]] = {
    "cast": lambda program, a: ("Identity", [a["x"]], {}),
    "conv": _conv,
    "max_pool": _max_pool,
    "prelu": lambda program, a: ("PRelu", [a["x"], program.slopes(a["alpha"])], {}),
    "linear": lambda program, a: ("Gemm", [a["x"], a["weight"], a["bias"]], {"transB": 1}),
    "reshape": lambda program, a: ("Reshape", [a["x"], program.shape(a["shape"])], {}),
    "relu": lambda program, a: ("Relu", [a["x"]], {}),
    "sub": lambda program, a: ("Sub", [a["x"], a["y"]], {}),
    "mul": lambda program, a: ("Mul", [a["x"], a["y"]], {}),
    "add": lambda program, a: ("Add", [a["x"], a["y"]], {}),
}
