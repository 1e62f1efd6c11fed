"""Detectors on each engine that runs on any machine."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pymtcnn import MTCNN, DetectorWeights, EngineOptions


def engine_detector(name: str, weights: DetectorWeights, **settings: Any) -> MTCNN:
    """A detector on an engine; "device" is the class that drives a GPU, on ONNX Runtime's CPU provider."""
    if name in ("onnx", "device"):
        pytest.importorskip("onnx", reason="needs the extra 'onnx'")
        pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    if name == "device":
        options = EngineOptions(provider="CPUExecutionProvider")
        return MTCNN("cuda", weights, options=options, fallback=False, **settings)
    return MTCNN(cast(Any, name), weights, fallback=False, **settings)
