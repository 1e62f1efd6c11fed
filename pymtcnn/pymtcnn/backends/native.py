"""The networks in C++: one call a stage, which cuts the images out of the frame as it goes.

Each result is summed in an order that only its layer decides on, so that threads, batches and the place in an
image leave its bits alone. AVX2 and AVX-512 give the same bits too; without either the sums are rounded
differently, by about one unit in the last place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..boxes import pnet_cells
from ..networks import (
    Convolution,
    DetectorWeights,
    FullyConnected,
    MaxPool,
    NetworkWeights,
    dense_matrix,
)
from ..pyramid import Frame, PyramidLevel
from .interface import ONET_SIDE, RNET_SIDE, Backend, EngineOptions, NetworkOutput, interpret

__all__ = ["NativeBackend", "NativeNetwork", "create_backend"]

Float32 = NDArray[np.float32]


def _as_core(weights: NetworkWeights, instruction_set: str) -> _core.Network:
    core = _core.Network(3, instruction_set)
    maps, dense = 3, False
    for layer in weights.layers:
        if isinstance(layer, Convolution):
            core.add_convolution(layer.kernels, layer.bias)
            maps = len(layer.bias)
        elif isinstance(layer, MaxPool):
            core.add_max_pool(layer.size, layer.stride)
        elif isinstance(layer, FullyConnected):
            matrix = np.ascontiguousarray(layer.weights.T)
            if not dense and matrix.shape[1] == maps:
                core.add_convolution(matrix[:, :, None, None], layer.bias)  # each pixel by itself
            else:
                core.add_fully_connected(matrix if dense else dense_matrix(layer, maps), layer.bias)
                dense = True
            maps = len(layer.bias)
        else:
            core.add_rectifier(layer.slopes)
    return core


class NativeNetwork:
    """One network of the cascade in C++; implements `pymtcnn.backends.Network`.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.
    threads : int, default 1
        Threads that share a batch.
    instruction_set : str, optional
        One of ``pymtcnn._core.instruction_sets()``; by default the best.
    """

    def __init__(self, weights: NetworkWeights, threads: int = 1, instruction_set: str = "") -> None:
        self.core = _as_core(weights, instruction_set)
        self.threads = threads
        self._dense = weights.name == "PNet"

    def run(self, batch: Float32) -> NetworkOutput:
        """Apply the network; see `pymtcnn.backends.Network.run`."""
        raw = self.core.run(batch, self.threads).swapaxes(0, 1)
        return interpret(raw if self._dense else raw[:, :, 0, 0])


class NativeBackend:
    """The three networks in C++; implements `pymtcnn.backends.Backend`.

    Parameters
    ----------
    weights : DetectorWeights
        Weights of the networks.
    threads : int, default 1
        Threads that share the pyramid, or the candidates of a stage.
    instruction_set : str, optional
        One of ``pymtcnn._core.instruction_sets()``; by default the best.
    """

    name = "native"

    def __init__(self, weights: DetectorWeights, threads: int = 1, instruction_set: str = "") -> None:
        self.pnet = NativeNetwork(weights.pnet, threads, instruction_set)
        self.rnet = NativeNetwork(weights.rnet, threads, instruction_set)
        self.onet = NativeNetwork(weights.onet, threads, instruction_set)
        self.threads = threads

    @property
    def details(self) -> dict[str, str]:
        """Instruction set that runs."""
        return {"instruction_set": self.pnet.core.instruction_set}

    def propose(self, frame: Frame, levels: Sequence[PyramidLevel]) -> list[NetworkOutput]:
        """Apply PNet; see `pymtcnn.backends.Backend.propose`."""
        raw = self.pnet.core.levels(frame, [(level.height, level.width) for level in levels], self.threads)
        # Probabilities of all levels at once, then each level's part.
        everything = interpret(raw[:, None])
        outputs, start = [], 0
        for level in levels:
            rows, columns = pnet_cells(level.height), pnet_cells(level.width)
            part = slice(start, start + rows * columns)
            start = part.stop
            outputs.append(
                NetworkOutput(
                    everything.probability[:, part].reshape(1, rows, columns),
                    everything.regression[:, :, part].reshape(1, 4, rows, columns),
                )
            )
        return outputs

    def refine(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply RNet; see `pymtcnn.backends.Backend.refine`."""
        return interpret(self.rnet.core.crops(frame, boxes, RNET_SIDE, self.threads).T)

    def finish(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply ONet; see `pymtcnn.backends.Backend.finish`."""
        return interpret(self.onet.core.crops(frame, boxes, ONET_SIDE, self.threads).T)


def unavailable(options: EngineOptions) -> str | None:
    """Nothing is missing where this module can be imported."""
    del options
    return None


def create_backend(weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the three networks in C++."""
    return NativeBackend(weights, options.threads)
