"""Sessions of ONNX Runtime on a named execution provider, with its failures as one kind of exception."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime
from onnx import ModelProto

from ..errors import EngineError
from .interface import EngineOptions

__all__ = ["CPU_PROVIDER", "CUDA_PROVIDER", "create_session", "engine_errors", "unavailable_provider"]

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"

_HINTS = {
    CUDA_PROVIDER: ": it needs a GPU with its driver, CUDA and cuDNN; the latter two come with "
    'pip install "onnxruntime-gpu[cuda,cudnn]"'
}

# ONNX Runtime's severities: 3 is "error". Its warnings are about choices of graph optimisation.
_ERRORS_ONLY = 3


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn whatever ONNX Runtime raises into an EngineError; its exceptions have no common base of their own."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EngineError(f"{doing} failed: {lines[0]}") from error


def unavailable_provider(provider: str) -> str | None:
    """Say why a provider cannot be used, or None: whether its device works only shows when a session is made."""
    present = onnxruntime.get_available_providers()
    if provider in present:
        return None
    remedy = ""
    if provider == CUDA_PROVIDER:
        remedy = '; run: pip uninstall onnxruntime, then pip install "pymtcnn[cuda]"'
    return f"the installed ONNX Runtime has no {provider}, only {', '.join(present)}{remedy}"


def create_session(model: ModelProto, provider: str, options: EngineOptions) -> onnxruntime.InferenceSession:
    """Make a session that runs on a provider, or fails.

    Parameters
    ----------
    model : onnx.ModelProto
        The graph.
    provider : str
        Execution provider.
    options : EngineOptions
        Threads and device.

    Returns
    -------
    onnxruntime.InferenceSession
        Ready to run.

    Raises
    ------
    EngineError
        The provider is missing or does not start; ONNX Runtime by itself would go on with the CPU.
    """
    reason = unavailable_provider(provider)
    if reason is not None:
        raise EngineError(reason)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERRORS_ONLY
    # Threads that wait in a loop would take the processor from the landmark stage.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with engine_errors(f"ONNX Runtime's {provider}"):
        if provider == CUDA_PROVIDER:
            _load_cuda_packages()
        session = onnxruntime.InferenceSession(
            model.SerializeToString(),
            settings,
            providers=[(provider, _provider_options(provider, options))],
        )
    if session.get_providers()[0] != provider:
        raise EngineError(
            f"ONNX Runtime's {provider} does not start on this machine{_HINTS.get(provider, '')}"
        )
    return session


def _load_cuda_packages() -> None:
    """Load CUDA and cuDNN from NVIDIA's Python packages where they are installed; the system's are found anyway."""
    if importlib.util.find_spec("nvidia") is not None and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()


def _provider_options(provider: str, options: EngineOptions) -> dict[str, str]:
    if provider == CUDA_PROVIDER:
        return {
            "device_id": str(options.device),
            # TensorFloat-32 keeps as many bits of each factor as float16, which moves boxes by up to 14 px.
            "use_tf32": "0",
            # The default tries every algorithm for each new shape, which takes seconds.
            "cudnn_conv_algo_search": "HEURISTIC",
        }
    if provider == "DmlExecutionProvider":
        return {"device_id": str(options.device)}
    return {}
