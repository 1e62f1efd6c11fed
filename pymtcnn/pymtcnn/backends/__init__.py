"""What runs the three networks: the interface of a backend, and the engines by name."""

from __future__ import annotations

from .interface import (
    ONET_SIDE,
    RNET_SIDE,
    Backend,
    BatchBackend,
    ComputeUnits,
    EngineOptions,
    FrameBatch,
    Network,
    NetworkBackend,
    NetworkOutput,
    Precision,
    interpret,
    open_batch,
)
from .registry import ENGINES, BackendName, EngineName, create_engine

__all__ = [
    "ENGINES",
    "ONET_SIDE",
    "RNET_SIDE",
    "Backend",
    "BackendName",
    "BatchBackend",
    "ComputeUnits",
    "EngineName",
    "EngineOptions",
    "FrameBatch",
    "Network",
    "NetworkBackend",
    "NetworkOutput",
    "Precision",
    "create_engine",
    "interpret",
    "open_batch",
]
