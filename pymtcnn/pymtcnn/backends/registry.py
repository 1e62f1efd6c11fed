"""Engines by name: which there are, what each one needs, and whether it can run here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from ..errors import BackendError
from ..networks import DetectorWeights
from .interface import DEFAULT_OPTIONS, Backend, EngineOptions

__all__ = ["ENGINES", "BackendName", "EngineName", "create_engine", "extra_of", "why_not"]

EngineName = Literal["native", "cuda", "onnx", "coreml", "numpy"]
BackendName = Literal["auto", "native", "cuda", "onnx", "coreml", "numpy"]


@dataclass(frozen=True)
class _Entry:
    """Module of an engine and the extra that installs what it needs.

    The module has ``unavailable(options) -> str | None``, which says why the engine cannot run on this machine although
    its packages are installed, and ``create_backend(weights, options) -> Backend``.
    """

    module: str
    extra: str | None = None


_REGISTRY: dict[str, _Entry] = {
    "native": _Entry("pymtcnn.backends.native"),
    "cuda": _Entry("pymtcnn.backends.cuda", "cuda"),
    "onnx": _Entry("pymtcnn.backends.onnx", "onnx"),
    "coreml": _Entry("pymtcnn.backends.coreml", "coreml"),
    "numpy": _Entry("pymtcnn.backends.numpy"),
}

ENGINES: tuple[str, ...] = tuple(_REGISTRY)


def extra_of(name: str) -> str | None:
    """Extra of pymtcnn that installs what an engine needs; None where it needs none."""
    return _REGISTRY[name].extra


def _module(name: str) -> ModuleType:
    if name not in _REGISTRY:
        choices = ", ".join(repr(choice) for choice in ("auto", *_REGISTRY))
        raise BackendError(f"unknown backend {name!r}; choose one of {choices}")
    entry = _REGISTRY[name]
    try:
        return importlib.import_module(entry.module)
    except ImportError as error:
        remedy = f'; run: pip install "pymtcnn[{entry.extra}]"' if entry.extra else ""
        raise BackendError(f"backend {name!r} cannot be used here ({error}){remedy}") from error


def why_not(name: str, options: EngineOptions = DEFAULT_OPTIONS) -> str | None:
    """Say why an engine cannot run on this machine.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    options : EngineOptions, optional
        Settings, such as the provider.

    Returns
    -------
    str or None
        The reason, such as a missing device; None if the engine should run.

    Raises
    ------
    BackendError
        There is no such engine, or its packages are not installed (the message names the extra to install).
    """
    reason: str | None = _module(name).unavailable(options)
    return reason


def create_engine(name: str, weights: DetectorWeights, options: EngineOptions = DEFAULT_OPTIONS) -> Backend:
    """Build the networks on the named engine.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    weights : DetectorWeights
        Weights of the networks.
    options : EngineOptions, optional
        Settings.

    Returns
    -------
    Backend
        Networks ready to run.

    Raises
    ------
    BackendError
        There is no such engine, or its packages are not installed (the message names the extra to install).
    EngineError
        The engine cannot start here, for example because there is no such device.
    """
    backend: Backend = _module(name).create_backend(weights, options)
    return backend
