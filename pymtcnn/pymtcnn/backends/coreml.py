"""The networks in CoreML, on macOS.

CoreML is known to crash when several threads drive it, so that one thread owns the models; see
`pymtcnn.backends.worker`. Nobody has run this engine on a Mac for this project: models and numbers are checked on
Linux, the worker with models of the same interface.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..cache import cache_folder, key_of
from ..errors import EngineError
from ..networks import DetectorWeights
from .coreml_program import LARGEST_BATCH, save_package
from .interface import Backend, EngineOptions, NetworkBackend, NetworkOutput, interpret
from .quiet_coremltools import ct
from .worker import Worker

__all__ = [
    "CoremlBackend",
    "CoremlNetwork",
    "Model",
    "create_backend",
    "load_models",
    "make_backend",
    "unavailable",
]

Float32 = NDArray[np.float32]

# Part of the key of compiled models: to be raised when the conversion changes.
_CONVERSION = "1"

_NAMES = ("PNet", "RNet", "ONet")


class Model(Protocol):
    """What is used of ``coremltools.models.CompiledMLModel``."""

    def predict(self, data: dict[str, Any]) -> Mapping[str, Any]:
        """Compute the outputs by name for inputs by name."""
        ...


class CoremlNetwork:
    """One network of the cascade in CoreML; implements `pymtcnn.backends.Network`.

    Parameters
    ----------
    worker : Worker
        Owns the models by name.
    name : {"PNet", "RNet", "ONet"}
        Which of them to use.
    """

    def __init__(self, worker: Worker[Mapping[str, Model]], name: str) -> None:
        self._worker = worker
        self._name = name

    def run(self, batch: Float32) -> NetworkOutput:
        """Apply the network; see `pymtcnn.backends.Network.run`."""
        parts = [
            self._predict(batch[start : start + LARGEST_BATCH])
            for start in range(0, len(batch), LARGEST_BATCH)
        ]
        return interpret(np.concatenate(parts).swapaxes(0, 1))

    def _predict(self, batch: Float32) -> Float32:
        images = np.ascontiguousarray(batch)
        try:
            outputs = self._worker.call(lambda models: models[self._name].predict({"images": images}))
            return np.array(outputs["outputs"], np.float32)
        except Exception as error:  # CoreML's exceptions are plain RuntimeErrors
            raise EngineError(f"CoreML failed in {self._name}: {error}") from error


@dataclass(frozen=True)
class CoremlBackend(NetworkBackend):
    """The three networks in CoreML.

    Attributes
    ----------
    options : EngineOptions
        Compute units and precision.
    """

    options: EngineOptions

    @property
    def details(self) -> dict[str, str]:
        """Version, compute units and precision."""
        return {
            "coremltools": str(ct.__version__),
            "compute_units": self.options.compute_units,
            "precision": self.options.precision,
        }


def load_models(weights: DetectorWeights, options: EngineOptions) -> Mapping[str, Model]:
    """Compile the models, or take those compiled before, and load them.

    Compiled models are kept in the cache folder (`pymtcnn.cache`), under a key of the weights, the precision and the
    versions of macOS and coremltools.

    Parameters
    ----------
    weights : DetectorWeights
        Weights of the networks.
    options : EngineOptions
        Compute units and precision.

    Returns
    -------
    mapping of str to Model
        By names of the networks.
    """
    facts = {
        "conversion": _CONVERSION,
        "coremltools": str(ct.__version__),
        "system": os.uname().version if hasattr(os, "uname") else "",
        "precision": options.precision,
        **weights.sha256,
    }
    folder = cache_folder() / "coreml" / key_of(facts)
    units = ct.ComputeUnit[_UNITS[options.compute_units]]
    networks = {network.name: network for network in (weights.pnet, weights.rnet, weights.onet)}
    models: dict[str, Model] = {}
    for name in _NAMES:
        path = folder / f"{name}.mlmodelc"
        if not path.is_dir():
            with tempfile.TemporaryDirectory() as temporary:
                package = save_package(networks[name], Path(temporary), options.precision)
                _keep(Path(ct.models.utils.compile_model(str(package))), path)
        models[name] = ct.models.CompiledMLModel(str(path), units)
    return models


_UNITS = {
    "all": "ALL",
    "cpu_only": "CPU_ONLY",
    "cpu_and_gpu": "CPU_AND_GPU",
    "cpu_and_neural_engine": "CPU_AND_NE",
}


def _keep(compiled: Path, path: Path) -> None:
    """Move a compiled model to its place, whole or not at all; another process may have been first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=path.name))
    try:
        shutil.copytree(compiled, staging / path.name)
        try:
            os.replace(staging / path.name, path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(compiled, ignore_errors=True)


def unavailable(options: EngineOptions) -> str | None:
    """Say that prediction needs macOS."""
    del options
    if sys.platform == "darwin":
        return None
    return "CoreML predicts on macOS only; `pymtcnn export coreml FOLDER` writes the models on any system"


def make_backend(load: Callable[[], Mapping[str, Model]], options: EngineOptions) -> CoremlBackend:
    """Build the networks on models that `load` makes in the worker's thread."""
    worker = Worker(load, name="pymtcnn-coreml")
    pnet, rnet, onet = (CoremlNetwork(worker, name) for name in _NAMES)
    return CoremlBackend("coreml", pnet, rnet, onet, options)


def create_backend(weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the three networks in CoreML."""
    reason = unavailable(options)
    if reason is not None:
        raise EngineError(reason)
    return make_backend(lambda: load_models(weights, options), options)
