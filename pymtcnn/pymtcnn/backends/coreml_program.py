"""The networks as CoreML programs, built from the weights with coremltools' MIL builder.

Conversion runs on Linux and macOS; only prediction needs macOS.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import CELL
from ..networks import Convolution, MaxPool, NetworkWeights, PReLU, dense_matrix
from .interface import ONET_SIDE, RNET_SIDE, Precision
from .quiet_coremltools import ct, get_new_symbol, mb

__all__ = ["LARGEST_BATCH", "LARGEST_SIDE", "convert", "save_package"]

# CoreML wants upper bounds: a level for faces of 60 px has 4096 px where the frame has 20,000.
LARGEST_SIDE = 4096
LARGEST_BATCH = 256

_SIDES = {"RNet": RNET_SIDE, "ONet": ONET_SIDE}


def _layers(weights: NetworkWeights, x: Any) -> Any:
    """Append a network's layers to the program under construction; its output."""
    maps, dense = 3, False
    for index, layer in enumerate(weights.layers):
        name = "outputs" if index == len(weights.layers) - 1 else f"layer{index}"
        if isinstance(layer, Convolution):
            x = mb.conv(x=x, weight=layer.kernels, bias=layer.bias, pad_type="valid", name=name)
            maps = len(layer.bias)
        elif isinstance(layer, MaxPool):
            x = mb.max_pool(
                x=x,
                kernel_sizes=[layer.size] * 2,
                strides=[layer.stride] * 2,
                pad_type="valid",
                ceil_mode=True,
                name=name,
            )
        elif isinstance(layer, PReLU):
            x = _rectifier(layer, x, name) if dense else mb.prelu(x=x, alpha=layer.slopes, name=name)
        elif not dense and len(layer.weights) == maps:  # each pixel by itself
            kernels = dense_matrix(layer, maps)[:, :, None, None]
            x = mb.conv(x=x, weight=kernels, bias=layer.bias, pad_type="valid", name=name)
        else:
            if not dense:
                x = mb.reshape(x=x, shape=[-1, len(layer.weights)], name=f"flat{index}")
            matrix = np.ascontiguousarray(layer.weights.T) if dense else dense_matrix(layer, maps)
            x = mb.linear(x=x, weight=matrix, bias=layer.bias, name=name)
            dense = True
    return x


def _rectifier(layer: PReLU, x: Any, name: str) -> Any:
    """PReLU of a vector, which MIL's own operation does not take."""
    positive = mb.relu(x=x)
    negative = mb.mul(x=mb.sub(x=x, y=positive), y=layer.slopes)
    return mb.add(x=positive, y=negative, name=name)


def _is_half(weights: NetworkWeights, precision: Precision) -> bool:
    """Whether a network computes in float16: only ONet, whose results no longer decide which boxes go on."""
    return precision == "mixed" and weights.name == "ONet"


def convert(weights: NetworkWeights, precision: Precision = "float32") -> Any:
    """Build the CoreML program of one network.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.
    precision : {"float32", "mixed"}
        Of weights and arithmetic; "mixed" is float16 for ONet. Input and output are float32 in any case.

    Returns
    -------
    coremltools.models.MLModel
        Program for macOS 12 and later, not loaded, with one input ``images`` and one output ``outputs`` as of
        `pymtcnn.backends.onnx_graphs.network_model`. PNet takes one image of 12 to 4096 px a side, RNet and ONet 1 to
        256 images.
    """
    side = _SIDES.get(weights.name)
    if side:
        symbols = (get_new_symbol(), 3, side, side)
        flexible = (ct.RangeDim(1, LARGEST_BATCH, 1), 3, side, side)
    else:
        symbols = (1, 3, get_new_symbol(), get_new_symbol())
        flexible = (1, 3, ct.RangeDim(CELL, LARGEST_SIDE, 96), ct.RangeDim(CELL, LARGEST_SIDE, 128))

    @mb.program(  # type: ignore[untyped-decorator]
        input_specs=[mb.TensorSpec(shape=symbols)], opset_version=ct.target.iOS15
    )
    def program(images: Any) -> Any:
        return _layers(weights, images)

    with warnings.catch_warnings():
        # coremltools leaves a temporary folder to be cleaned up, which Python mentions.
        warnings.simplefilter("ignore", ResourceWarning)
        model = ct.convert(
            program,
            convert_to="mlprogram",
            inputs=[ct.TensorType(name="images", shape=ct.Shape(flexible))],
            compute_precision=ct.precision.FLOAT16 if _is_half(weights, precision) else ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS15,
            skip_model_load=True,
        )
    model.short_description = f"{weights.name} of OpenFace 2.2's face detector"
    model.user_defined_metadata["weights_sha256"] = weights.sha256
    return model


def save_package(weights: NetworkWeights, folder: Path, precision: Precision = "float32") -> Path:
    """Convert one network and write it as ``<name>.mlpackage`` into a folder that exists.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.
    folder : Path
        Where to write.
    precision : {"float32", "mixed"}
        See `convert`.

    Returns
    -------
    Path
        The package.
    """
    path = folder / f"{weights.name}.mlpackage"
    convert(weights, precision).save(str(path))
    return path
