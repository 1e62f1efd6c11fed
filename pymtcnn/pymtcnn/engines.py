"""The choice of an engine: by name, by what there is, and what takes over when a device fails."""

from __future__ import annotations

import importlib.util
import logging
import platform
import statistics
import time
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .backends.interface import DEFAULT_OPTIONS, Backend, EngineOptions, open_batch
from .backends.registry import ENGINES, create_engine, why_not
from .cache import cache_folder, key_of, read_json, write_json
from .cascade import CascadeSettings, run_cascade
from .errors import BackendError, BackendWarning, EngineError
from .instructions import numpy_is_asked_for
from .networks import DetectorWeights
from .weights import load_weights

__all__ = ["BackendInfo", "available_backends", "open_engine", "probe", "stand_in"]

_log = logging.getLogger(__name__)

# How long an engine is measured, and how much faster than the processor a device must be to be worth its other last
# digits. The factor also keeps noise from deciding.
_PROBE_SECONDS = 0.05
_WORTH_IT = 1.5

_PROBE_SETTINGS = CascadeSettings(60, (0.6, 0.7, 0.7), 0.709)

# Files that tell a build of ONNX Runtime for CUDA, without loading it.
_CUDA_LIBRARIES = ("libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll")


@dataclass(frozen=True)
class BackendInfo:
    """Whether an engine can run here.

    Attributes
    ----------
    name : str
        Name to pass to :class:`pymtcnn.MTCNN`.
    available : bool
        Whether it can run here.
    reason : str or None
        Why it cannot, and what to do.
    milliseconds : float or None
        Time for a frame of 640 x 480 px, where it was measured.

    Examples
    --------
    >>> from pymtcnn import available_backends
    >>> {info.name: info.available for info in available_backends()}["numpy"]
    True
    """

    name: str
    available: bool
    reason: str | None = None
    milliseconds: float | None = None


def available_backends(
    measure: bool = False, options: EngineOptions = DEFAULT_OPTIONS
) -> tuple[BackendInfo, ...]:
    """List the engines, those that can run here first.

    Parameters
    ----------
    measure : bool, default False
        Start each one and measure a frame of 640 x 480 px for 50 ms. One that does not start is then not available.
    options : EngineOptions, optional
        Settings, such as the number of threads.

    Returns
    -------
    tuple of BackendInfo
        One for each engine.

    Examples
    --------
    >>> from pymtcnn import available_backends
    >>> [info.name for info in available_backends() if info.available][-1]
    'numpy'
    """
    weights = load_weights() if measure else None
    infos = [_info(name, weights, options) for name in ENGINES]
    return tuple(sorted(infos, key=lambda info: not info.available))


def _info(name: str, weights: DetectorWeights | None, options: EngineOptions) -> BackendInfo:
    try:
        reason = why_not(name, options)
        if reason is None and weights is not None:
            return BackendInfo(name, True, milliseconds=probe(create_engine(name, weights, options)))
    except BackendError as error:
        reason = str(error)
    return BackendInfo(name, reason is None, reason)


@lru_cache(maxsize=1)
def _probe_frame() -> NDArray[np.uint8]:
    """Grey blotches, 640 x 480 px: 26 candidates for RNet and one for ONet, much like a frame with a face."""
    coarse = np.random.default_rng(7).uniform(0, 255, (25, 33, 3)).mean(axis=2)
    y, x = np.linspace(0, 23.99, 480), np.linspace(0, 31.99, 640)
    top, left = y.astype(int), x.astype(int)
    down, right = (y - top)[:, None], x - left
    rows = coarse[top] * (1 - down) + coarse[top + 1] * down
    grey = (rows[:, left] * (1 - right) + rows[:, left + 1] * right).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def probe(backend: Backend) -> float:
    """Measure an engine.

    Parameters
    ----------
    backend : Backend
        The engine.

    Returns
    -------
    float
        Milliseconds for a frame of 640 x 480 px, the median of what fits into 50 ms after a first run.

    Raises
    ------
    EngineError
        The engine fails.
    """
    frame = _probe_frame()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 2 or time.perf_counter() - began < _PROBE_SECONDS:
        start = time.perf_counter()
        run_cascade(open_batch(backend, [frame]), 1, 480, 640, _PROBE_SETTINGS)
        times.append(time.perf_counter() - start)
        if len(times) == 1:  # the first run prepares memory and algorithms
            began = time.perf_counter()
    return 1e3 * statistics.median(times[1:])


def open_engine(
    name: str, weights: DetectorWeights, options: EngineOptions = DEFAULT_OPTIONS, fallback: bool = True
) -> Backend:
    """Build the engine that was asked for, or the one that takes its place.

    Parameters
    ----------
    name : str
        One of `ENGINES`; ``"auto"`` for the compiled engine, or a CUDA device where there is one that is clearly
        faster; ``"cpu"`` for the compiled engine where it is installed, else NumPy's.
    weights : DetectorWeights
        Weights of the networks.
    options : EngineOptions, optional
        Settings.
    fallback : bool, default True
        Whether an engine on the processor takes the place of a device that is missing or does not start.

    Returns
    -------
    Backend
        Networks ready to run.

    Raises
    ------
    BackendError
        There is no such engine, or its packages are not installed.
    EngineError
        The device is missing or does not start, and `fallback` is False.

    Warns
    -----
    BackendWarning
        Another engine was taken than was asked for.
    """
    if name == "auto":
        return _automatic(weights, options)
    if name == "cpu":
        return _on_processor(weights, options)
    if name in ENGINES:
        reason = why_not(name, options)
        if reason is None:
            try:
                return create_engine(name, weights, options)
            except EngineError as error:
                reason = str(error)
        if not fallback:
            raise EngineError(f"backend {name!r} cannot be used here: {reason}")
        return stand_in(name, reason, weights, options)
    return create_engine(name, weights, options)  # which says what there is


def stand_in(name: str, reason: str, weights: DetectorWeights, options: EngineOptions) -> Backend:
    """Build the engine on the processor that takes the place of one that fails, and say so.

    Parameters
    ----------
    name : str
        Engine that fails.
    reason : str
        Why.
    weights : DetectorWeights
        Weights of the networks.
    options : EngineOptions
        Settings; a provider and its device are dropped.

    Returns
    -------
    Backend
        The compiled engine, or NumPy's.

    Warns
    -----
    BackendWarning
        Which engine runs, and why.
    """
    backend = _on_processor(weights, options)
    _warn(f"backend {name!r} cannot be used ({reason}); {backend.name!r} runs instead")
    return backend


def _warn(message: str) -> None:
    _log.warning("%s", message)
    warnings.warn(message, BackendWarning, stacklevel=5)  # the line that makes the detector, or runs it


def _on_processor(weights: DetectorWeights, options: EngineOptions) -> Backend:
    try:
        return create_engine("native", weights, replace(options, provider=None))
    except BackendError:
        return create_engine("numpy", weights, replace(options, provider=None))


def _automatic(weights: DetectorWeights, options: EngineOptions) -> Backend:
    if _has_cuda_build():
        device = _worthwhile_device(weights, options)
        if device is not None:
            return device
    backend = _on_processor(weights, options)
    if backend.name != "native" and not numpy_is_asked_for():
        _warn(
            f"the compiled engine is not installed, so {backend.name!r} runs: slower, and other in the last digits; "
            "install a C++ compiler and pymtcnn again"
        )
    return backend


def _has_cuda_build() -> bool:
    spec = importlib.util.find_spec("onnxruntime")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return any((Path(folder) / "capi" / name).is_file() for folder in folders for name in _CUDA_LIBRARIES)


def _worthwhile_device(weights: DetectorWeights, options: EngineOptions) -> Backend | None:
    """Build the CUDA engine if it is clearly faster here; None if it is not, or cannot run."""
    times = _probe_times(weights, options)
    _log.info(
        "engines on a frame of 640 x 480 px: %s", ", ".join(f"{n} {ms:.2f} ms" for n, ms in times.items())
    )
    if "cuda" not in times or times["cuda"] * _WORTH_IT > times["processor"]:
        return None
    try:
        device = create_engine("cuda", weights, replace(options, provider=None))
    except BackendError as error:
        _warn(
            f"backend 'cuda' was the fastest here and does not start ({error}); the processor takes its place"
        )
        return None
    _warn(
        f"auto takes 'cuda' ({times['cuda']:.2f} ms a frame, {times['processor']:.2f} on the processor); boxes can "
        "differ from 'native' by some 0.001 px, pass backend='native' for equal numbers on every machine"
    )
    return device


def _probe_times(weights: DetectorWeights, options: EngineOptions) -> dict[str, float]:
    """Measure once a machine: later processes read the figures, so that they choose alike.

    A device that does not start is tried again the next time.
    """
    facts = {
        "node": platform.node(),
        "cpu": platform.processor(),
        "device": str(options.device),
        **_versions(),
    }
    path = (
        cache_folder()
        / f"engines-{key_of({**facts, 'threads': str(options.threads), **weights.sha256})}.json"
    )
    kept = read_json(path).get("milliseconds")
    if isinstance(kept, dict) and isinstance(kept.get("processor"), float):
        return {str(name): float(ms) for name, ms in kept.items() if isinstance(ms, float)}
    times = {"processor": probe(_on_processor(weights, options))}
    try:
        times["cuda"] = probe(create_engine("cuda", weights, replace(options, provider=None)))
    except BackendError as error:
        _log.warning("backend 'cuda' cannot be used: %s", error)
    else:
        write_json(path, {"milliseconds": times, "facts": facts})
    return times


def _versions() -> dict[str, str]:
    from importlib import metadata  # slow to load

    versions = {}
    for package in ("pymtcnn", "onnxruntime", "onnxruntime-gpu", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
