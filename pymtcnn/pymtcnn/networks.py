"""The three networks: types of their layers and the shapes that they must have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import WeightsError

__all__ = [
    "ARCHITECTURES",
    "Convolution",
    "DetectorWeights",
    "FullyConnected",
    "Layer",
    "MaxPool",
    "NetworkWeights",
    "PReLU",
    "dense_matrix",
]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """Valid cross-correlation with stride 1.

    Attributes
    ----------
    kernels : ndarray of float32, shape (outputs, inputs, height, width)
        Kernels, applied without flipping.
    bias : ndarray of float32, shape (outputs,)
        Added to each output map.
    """

    kernels: Float32
    bias: Float32


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling whose last windows are clipped at the right and bottom edge ("ceil mode").

    Attributes
    ----------
    size, stride : int
        Side of the square window and its step in pixels.
    """

    size: int
    stride: int


@dataclass(frozen=True)
class PReLU:
    """Leaky rectifier with one slope for each channel.

    Attributes
    ----------
    slopes : ndarray of float32, shape (channels,)
        Factor for negative inputs.
    """

    slopes: Float32


@dataclass(frozen=True)
class FullyConnected:
    """Affine map ``weights.T @ v + bias``.

    Attributes
    ----------
    weights : ndarray of float32, shape (inputs, outputs)
        Inputs that come from maps are ordered map by map, each map column by column.
        Where `inputs` is the number of maps, the layer acts on each pixel by itself.
    bias : ndarray of float32, shape (outputs,)
        Offset.
    """

    weights: Float32
    bias: Float32


Layer = Convolution | MaxPool | PReLU | FullyConnected

# OpenFace 2.2: model/mtcnn_detector/*.dat. The detector's arithmetic (cell of 12 px, stride 2, crops of
# 24 and 48 px, meaning of the outputs) belongs to these shapes, so other networks are refused.
ARCHITECTURES: dict[str, tuple[tuple[object, ...], ...]] = {
    "PNet": (
        ("conv", 10, 3, 3, 3), ("prelu", 10), ("pool", 2, 2),
        ("conv", 16, 10, 3, 3), ("prelu", 16),
        ("conv", 32, 16, 3, 3), ("prelu", 32),
        ("fc", 32, 6),
    ),
    "RNet": (
        ("conv", 28, 3, 3, 3), ("prelu", 28), ("pool", 3, 2),
        ("conv", 48, 28, 3, 3), ("prelu", 48), ("pool", 3, 2),
        ("conv", 64, 48, 2, 2), ("prelu", 64),
        ("fc", 576, 128), ("prelu", 128),
        ("fc", 128, 6),
    ),
    "ONet": (
        ("conv", 32, 3, 3, 3), ("prelu", 32), ("pool", 3, 2),
        ("conv", 64, 32, 3, 3), ("prelu", 64), ("pool", 3, 2),
        ("conv", 64, 64, 3, 3), ("prelu", 64), ("pool", 2, 2),
        ("conv", 128, 64, 2, 2), ("prelu", 128),
        ("fc", 1152, 256), ("prelu", 256),
        ("fc", 256, 16),
    ),
}  # fmt: skip


def describe(layer: Layer) -> tuple[object, ...]:
    """Kind and shape of a layer in the notation of `ARCHITECTURES`."""
    if isinstance(layer, Convolution):
        return ("conv", *layer.kernels.shape)
    if isinstance(layer, MaxPool):
        return ("pool", layer.size, layer.stride)
    if isinstance(layer, PReLU):
        return ("prelu", *layer.slopes.shape)
    return ("fc", *layer.weights.shape)


@dataclass(frozen=True)
class NetworkWeights:
    """All layers of one network.

    Attributes
    ----------
    name : str
        ``"PNet"``, ``"RNet"`` or ``"ONet"``.
    layers : tuple of Layer
        In order of application. The last layer's outputs are: non-face, face, four box offsets and,
        for ONet, five x and five y positions of facial points.
    source : str
        File the weights came from.
    sha256 : str
        Digest of that file.
    """

    name: str
    layers: tuple[Layer, ...]
    source: str
    sha256: str

    def __post_init__(self) -> None:
        # Whatever the source, no other network gets further than here.
        expected = ARCHITECTURES[self.name]
        found = tuple(describe(layer) for layer in self.layers)
        if found == expected:
            if all(np.isfinite(a).all() for a in _arrays(self.layers)):
                return
            raise WeightsError(self.source, f"{self.name} holds values that are not finite; restore it")
        position = next((i for i, (f, e) in enumerate(zip(found, expected, strict=False)) if f != e), None)
        if position is None:
            reason = f"{len(found)} layers, {self.name} has {len(expected)}"
        else:
            reason = f"layer {position} is {found[position]}, {self.name} needs {expected[position]}"
        raise WeightsError(self.source, f"{reason}; use OpenFace 2.2's {self.name}.dat")


def _arrays(layers: Iterable[Layer]) -> list[Float32]:
    arrays: list[Float32] = []
    for layer in layers:
        if isinstance(layer, Convolution):
            arrays += [layer.kernels, layer.bias]
        elif isinstance(layer, FullyConnected):
            arrays += [layer.weights, layer.bias]
        elif isinstance(layer, PReLU):
            arrays.append(layer.slopes)
    return arrays


@dataclass(frozen=True)
class DetectorWeights:
    """The three networks of the cascade.

    Attributes
    ----------
    pnet, rnet, onet : NetworkWeights
        Proposal, refinement and output network.

    Examples
    --------
    >>> from pymtcnn import load_weights
    >>> weights = load_weights()
    >>> weights.pnet.name, len(weights.sha256["PNet"])
    ('PNet', 64)
    """

    pnet: NetworkWeights
    rnet: NetworkWeights
    onet: NetworkWeights

    @classmethod
    def from_networks(cls, networks: Sequence[NetworkWeights]) -> DetectorWeights:
        """Collect the networks by their names."""
        by_name = {network.name: network for network in networks}
        return cls(by_name["PNet"], by_name["RNet"], by_name["ONet"])

    @property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of each file by network name, for provenance records."""
        return {network.name: network.sha256 for network in (self.pnet, self.rnet, self.onet)}


def dense_matrix(layer: FullyConnected, maps: int) -> Float32:
    """Weights of a fully connected layer in the order in which engines flatten maps.

    Parameters
    ----------
    layer : FullyConnected
        Layer whose inputs come from square maps, each stored column by column.
    maps : int
        Number of maps.

    Returns
    -------
    ndarray of float32, shape (outputs, inputs)
        C-contiguous; inputs map by map, each map row by row.
    """
    inputs, outputs = layer.weights.shape
    side = round((inputs / maps) ** 0.5)
    by_rows = layer.weights.reshape(maps, side, side, outputs).swapaxes(1, 2)
    return np.ascontiguousarray(by_rows.reshape(inputs, outputs).T)
