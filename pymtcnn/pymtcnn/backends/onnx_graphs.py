"""The networks as ONNX graphs, built from the weights with `onnx.helper`.

Two kinds: a plain network over normalised planes, for any tool that reads ONNX; and whole stages that take the frame's
bytes and sample the pyramid or the crops themselves, so that a device gets each frame once. The sampling does the
arithmetic of `pymtcnn.pyramid` operation by operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from ..networks import Convolution, FullyConnected, MaxPool, NetworkWeights, PReLU, dense_matrix
from ..pyramid import GAIN, MEAN
from .interface import ONET_SIDE, RNET_SIDE

__all__ = ["IR_VERSION", "OPSET", "FrameType", "crops_model", "mosaic_model", "network_model"]

# Opset 13 and IR version 7 are of 2020: ONNX Runtime 1.6 and later read them.
OPSET = 13
IR_VERSION = 7

FrameType = Literal["uint8", "float32"]

# Stands for "no pixel" in max-pooling; far below any activation, yet finite in every product that drops it.
_NOTHING = np.float32(-1e9)

_SIDES = {"RNet": RNET_SIDE, "ONet": ONET_SIDE}
_TENSOR_TYPES = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}


@dataclass
class _Graph:
    """Nodes and constants in the order in which they are added."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; the name of its (first) output, to which further ones append a number."""
        name = f"{kind.lower()}{len(self.nodes)}"
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"node_{name}", **attributes))
        return name

    def model(
        self, weights: NetworkWeights, inputs: list[Any], last: str, output_shape: list[Any]
    ) -> ModelProto:
        for node in self.nodes:
            for i, name in enumerate(node.output):
                if name == last:
                    node.output[i] = "outputs"
        graph = helper.make_graph(
            self.nodes,
            weights.name,
            inputs,
            [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, output_shape)],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="pymtcnn",
        )
        helper.set_model_props(model, {"weights_sha256": weights.sha256})
        checker.check_model(model, full_check=True)
        return model


def _network(
    graph: _Graph, weights: NetworkWeights, tensor: str, *, valid: str | None = None, padded: bool = False
) -> str:
    """Append a network's layers; the name of its output.

    Parameters
    ----------
    graph : _Graph
        Receives the nodes.
    weights : NetworkWeights
        Layers.
    tensor : str
        Input of shape (n, 3, h, w).
    valid : str, optional
        A bool tensor (1, 1, h - 2, w - 2): where it is False, the first pooling sees no pixel.
    padded : bool, default False
        Write the clipped last window of a pooling as explicit padding, because not every device's library has the
        "ceil" rule. Needs a network with a fixed side, or `valid` maps of even sides.
    """
    maps, dense = 3, False
    side = _SIDES.get(weights.name, 0)
    for layer in weights.layers:
        if isinstance(layer, Convolution):
            tensor = graph.add("Conv", tensor, graph.constant(layer.kernels), graph.constant(layer.bias))
            maps = len(layer.bias)
            side -= layer.kernels.shape[2] - 1
        elif isinstance(layer, MaxPool):
            if valid is not None:
                tensor = graph.add("Where", valid, tensor, graph.constant(_NOTHING))
                valid = None
            window, step = [layer.size] * 2, [layer.stride] * 2
            beyond = -(side - layer.size) % layer.stride if side > 0 else 0
            if padded and beyond:
                pads = graph.constant(np.array([0, 0, 0, 0, 0, 0, beyond, beyond], np.int64))
                tensor = graph.add("Pad", tensor, pads, graph.constant(_NOTHING), mode="constant")
            tensor = graph.add(
                "MaxPool", tensor, ceil_mode=int(not padded), kernel_shape=window, strides=step
            )
            side = -(-(side - layer.size) // layer.stride) + 1
        elif isinstance(layer, PReLU):
            slopes = layer.slopes if dense else layer.slopes[:, None, None]
            tensor = graph.add("PRelu", tensor, graph.constant(slopes))
        elif not dense and len(layer.weights) == maps:  # each pixel by itself
            kernels = dense_matrix(layer, maps)[:, :, None, None]
            tensor = graph.add("Conv", tensor, graph.constant(kernels), graph.constant(layer.bias))
        else:
            if not dense:
                tensor = graph.add("Flatten", tensor, axis=1)
            tensor = _fully_connected(graph, layer, tensor, 0 if dense else maps)
            dense = True
    return tensor


def _fully_connected(graph: _Graph, layer: FullyConnected, tensor: str, maps: int) -> str:
    matrix = dense_matrix(layer, maps) if maps else layer.weights.T
    return graph.add("Gemm", tensor, graph.constant(matrix), graph.constant(layer.bias), transB=1)


def network_model(weights: NetworkWeights) -> ModelProto:
    """Build the graph of one network.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.

    Returns
    -------
    onnx.ModelProto
        Checked model of opset 13 with one input ``images`` (n, 3, h, w) of normalised R, G and B planes and one output
        ``outputs`` (n, 6, h', w'), (n, 6) or (n, 16): non-face, face, box offsets, points. The number of images is
        free, for PNet their size too.
    """
    graph = _Graph()
    last = _network(graph, weights, "images")
    side = _SIDES.get(weights.name)
    size: list[Any] = [side, side] if side else ["height", "width"]
    count = len(weights.layers[-1].bias)  # type: ignore[union-attr]  # every network ends in a FullyConnected
    cells: list[Any] = [] if side else ["rows", "columns"]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, *size])
    return graph.model(weights, [images], last, ["n", count, *cells])


def _normalised_planes(graph: _Graph, pixels: str) -> str:
    """Normalise BGR pixels (n, h, w, 3) and turn them into R, G and B planes (n, 3, h, w)."""
    centred = graph.add("Sub", pixels, graph.constant(MEAN))
    scaled = graph.add("Mul", centred, graph.constant(GAIN))
    planes = graph.add("Transpose", scaled, perm=[0, 3, 1, 2])
    return graph.add("Gather", planes, graph.constant(np.array([2, 1, 0], np.int64)), axis=1)


def _blend(graph: _Graph, samples: str, weights: str, axis: int) -> str:
    """Weighted sum of the two neighbours along an axis of length two, which becomes one."""
    weighted = graph.add("Mul", samples, weights)
    first = graph.add("Split", weighted, outputs=2, axis=axis)
    return graph.add("Add", first, f"{first}.1")


def _inputs(*specs: tuple[str, int, Sequence[Any]]) -> list[Any]:
    return [helper.make_tensor_value_info(name, kind, list(shape)) for name, kind, shape in specs]


def mosaic_model(weights: NetworkWeights, frame_type: FrameType) -> ModelProto:
    """Build PNet over all pyramid levels of a batch of frames at once, the levels side by side in one image.

    Parameters
    ----------
    weights : NetworkWeights
        PNet.
    frame_type : {"uint8", "float32"}
        Type of the frames' pixels.

    Returns
    -------
    onnx.ModelProto
        Inputs: ``frames`` (b, H, W, 3); ``taps`` (2, 2, h * w) int64, for upper and lower, left and right neighbour the
        pixel's position in a frame; ``column_weights`` (2, h * w, 1), ``row_weights`` (2, 1, h * w, 1); ``valid``
        (1, 1, h - 2, w - 2) bool, False where the first convolution's result lies in no level; ``size`` (4,) int64:
        -1, h, w, 3 with even h and w. Output (b, 6, h', w').
    """
    graph = _Graph()
    flat = graph.add("Reshape", "frames", graph.constant(np.array([0, -1, 3], np.int64)))
    samples = graph.add("Gather", flat, "taps", axis=1)  # (b, 2, 2, h * w, 3)
    samples = graph.add("Cast", samples, to=TensorProto.FLOAT)
    horizontal = _blend(graph, samples, "column_weights", axis=2)
    pixels = _blend(graph, horizontal, "row_weights", axis=1)
    image = graph.add("Reshape", pixels, "size")
    last = _network(graph, weights, _normalised_planes(graph, image), valid="valid", padded=True)
    inputs = _inputs(
        ("frames", _TENSOR_TYPES[frame_type], ["b", "H", "W", 3]),
        ("taps", TensorProto.INT64, [2, 2, "pixels"]),
        ("column_weights", TensorProto.FLOAT, [2, "pixels", 1]),
        ("row_weights", TensorProto.FLOAT, [2, 1, "pixels", 1]),
        ("valid", TensorProto.BOOL, [1, 1, "valid_rows", "valid_columns"]),
        ("size", TensorProto.INT64, [4]),
    )
    return graph.model(weights, inputs, last, ["b", 6, "rows", "columns"])


def crops_model(weights: NetworkWeights, frame_type: FrameType) -> ModelProto:
    """Build RNet or ONet over squares that are cut out of a batch of frames.

    Parameters
    ----------
    weights : NetworkWeights
        RNet or ONet.
    frame_type : {"uint8", "float32"}
        Type of the frames' pixels.

    Returns
    -------
    onnx.ModelProto
        Inputs: ``frames`` (b, H, W, 3); ``rows`` (n, 2, s, 1, 1) and ``columns`` (n, 1, 1, 2, s) int64, whose sum is
        the position of a pixel among those of all frames; ``row_weights`` (n, 2, s, 1, 1, 1) and ``column_weights``
        (n, 1, 1, 2, s, 1), 0 outside the frame. Output (n, 6) or (n, 16).
    """
    side = _SIDES[weights.name]
    graph = _Graph()
    flat = graph.add("Reshape", "frames", graph.constant(np.array([-1, 3], np.int64)))
    positions = graph.add("Add", "rows", "columns")  # (n, 2, s, 2, s)
    samples = graph.add("Gather", flat, positions, axis=0)
    samples = graph.add("Cast", samples, to=TensorProto.FLOAT)
    horizontal = _blend(graph, samples, "column_weights", axis=3)
    pixels = _blend(graph, horizontal, "row_weights", axis=1)
    patches = graph.add("Reshape", pixels, graph.constant(np.array([-1, side, side, 3], np.int64)))
    last = _network(graph, weights, _normalised_planes(graph, patches), padded=True)
    inputs = _inputs(
        ("frames", _TENSOR_TYPES[frame_type], ["b", "H", "W", 3]),
        ("rows", TensorProto.INT64, ["n", 2, side, 1, 1]),
        ("columns", TensorProto.INT64, ["n", 1, 1, 2, side]),
        ("row_weights", TensorProto.FLOAT, ["n", 2, side, 1, 1, 1]),
        ("column_weights", TensorProto.FLOAT, ["n", 1, 1, 2, side, 1]),
    )
    count = len(weights.layers[-1].bias)  # type: ignore[union-attr]  # every network ends in a FullyConnected
    return graph.model(weights, inputs, last, ["n", count])
