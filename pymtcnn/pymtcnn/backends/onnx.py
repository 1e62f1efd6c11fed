"""The networks by ONNX Runtime: on the CPU one by one, on any other provider as `pymtcnn.backends.device` runs them.

On the CPU it is slower than the compiled engine, and serves where that one is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..networks import DetectorWeights, NetworkWeights
from .device import DeviceBackend
from .interface import Backend, EngineOptions, NetworkBackend, NetworkOutput, interpret
from .onnx_graphs import network_model
from .sessions import CPU_PROVIDER, create_session, engine_errors, unavailable_provider

__all__ = ["OnnxBackend", "OnnxNetwork", "create_backend", "unavailable"]

Float32 = NDArray[np.float32]


class OnnxNetwork:
    """One network of the cascade in ONNX Runtime; implements `pymtcnn.backends.Network`.

    Parameters
    ----------
    weights : NetworkWeights
        Layers.
    options : EngineOptions
        Its `threads` share each operation.

    Raises
    ------
    EngineError
        ONNX Runtime does not take the graph.
    """

    def __init__(self, weights: NetworkWeights, options: EngineOptions) -> None:
        self._session = create_session(network_model(weights), CPU_PROVIDER, options)

    def run(self, batch: Float32) -> NetworkOutput:
        """Apply the network; see `pymtcnn.backends.Network.run`."""
        with engine_errors("ONNX Runtime"):
            raw: Float32 = self._session.run(None, {"images": np.ascontiguousarray(batch)})[0]
        return interpret(raw.swapaxes(0, 1))


@dataclass(frozen=True)
class OnnxBackend(NetworkBackend):
    """The three networks in ONNX Runtime on the CPU."""

    @property
    def details(self) -> dict[str, str]:
        """Version and provider."""
        return {"onnxruntime": onnxruntime.__version__, "provider": CPU_PROVIDER}


def unavailable(options: EngineOptions) -> str | None:
    """Say why the provider of the options cannot be used."""
    return unavailable_provider(options.provider or CPU_PROVIDER)


def create_backend(weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the three networks in ONNX Runtime."""
    if options.provider not in (None, CPU_PROVIDER):
        return DeviceBackend(weights, options.provider, options)
    networks = (OnnxNetwork(network, options) for network in (weights.pnet, weights.rnet, weights.onet))
    return OnnxBackend("onnx", *networks)
