"""The networks on a GPU by ONNX Runtime's CUDA provider."""

from __future__ import annotations

from ..networks import DetectorWeights
from .device import DeviceBackend
from .interface import Backend, EngineOptions
from .sessions import CUDA_PROVIDER, unavailable_provider

__all__ = ["create_backend", "unavailable"]


def unavailable(options: EngineOptions) -> str | None:
    """Say why the provider, by default CUDA's, cannot be used."""
    return unavailable_provider(options.provider or CUDA_PROVIDER)


def create_backend(weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the stages on the provider of the options, by default CUDA's."""
    return DeviceBackend(weights, options.provider or CUDA_PROVIDER, options)
